"""What CI sends about a deploy, checked at the door."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from blametrail.kit.clock import parse_iso
from blametrail.kit.errors import Invalid

LONGEST_SHA = 255
LONGEST_URL = 2_048
MOST_COMMITS = 100
LONGEST_KEY = 255

_WORDS = {
    "missing": "is required",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
}


def _storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor half of a surrogate pair."""
    if "\0" in text:
        raise PydanticCustomError("text", "must not contain NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("text", "must be valid Unicode (it holds a lone surrogate)") from None
    return text


def _time(default_zone: tzinfo | None = None) -> Callable[[Any], datetime | None]:
    def read(value: Any) -> datetime | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise PydanticCustomError("time", "must be an ISO 8601 string")
        try:
            return parse_iso(value, default_zone)
        except ValueError as error:
            raise PydanticCustomError("time", "{why}", {"why": str(error)}) from None

    return read


def _nothing_is_empty(value: Any) -> Any:
    return "" if value is None else value


Text = Annotated[str, AfterValidator(_storable)]
OptionalText = Annotated[Text, BeforeValidator(_nothing_is_empty)]
Sha = Annotated[Text, AfterValidator(str.strip), Field(min_length=1, max_length=LONGEST_SHA)]
Time = Annotated[datetime | None, BeforeValidator(_time())]
TimeOfCommit = Annotated[datetime | None, BeforeValidator(_time(default_zone=UTC))]


class ReportedCommit(BaseModel):
    """One of the commits that a deploy carries."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    sha: Sha
    message: OptionalText = ""
    author: OptionalText = ""
    timestamp: TimeOfCommit = None


class DeployReport(BaseModel):
    """The body of a deploy post; fields and limits are those of the public contract."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    commit_sha: Sha
    commit_message: OptionalText = ""
    branch: OptionalText = ""
    deployed_by: OptionalText = ""
    environment: OptionalText = ""
    version: OptionalText = ""
    description: OptionalText = ""
    url: Annotated[OptionalText, Field(max_length=LONGEST_URL)] = ""
    commits: Annotated[
        list[ReportedCommit], BeforeValidator(lambda v: [] if v is None else v), Field(max_length=MOST_COMMITS)
    ] = []
    deployed_at: Time = None
    previous_commit_sha: Annotated[OptionalText, Field(max_length=LONGEST_SHA)] = ""


def parse_report(body: bytes) -> DeployReport:
    """Read a body; raises Invalid naming each wrong field as `commits.3.sha`, or `body`."""
    try:
        # No field is a number, so that their digits do not matter, however many they are.
        data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, parse_int=float)
    except UnicodeDecodeError as error:
        raise Invalid({"body": f"is not valid UTF-8 (byte {error.start})"}) from None
    except RecursionError:
        raise Invalid({"body": "is nested too deeply"}) from None
    except ValueError as error:
        raise Invalid({"body": f"is not valid JSON: {error}"}) from None
    if not isinstance(data, dict):
        raise Invalid({"body": "must be a JSON object"})
    try:
        return DeployReport.model_validate(data)
    except ValidationError as error:
        raise Invalid({_path(e["loc"]): _words(e) for e in error.errors(include_url=False, include_input=False)}) from None


def check_key(key: str | None) -> str | None:
    """The idempotency key, or None when there is none; raises Invalid."""
    key = (key or "").strip()
    if len(key) > LONGEST_KEY:
        raise Invalid({"X-Idempotency-Key": f"must have at most {LONGEST_KEY} characters"})
    return key or None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _unit(context: dict[str, Any]) -> str:
    """What a length counts: pydantic says `List`, or `Value` for text that was changed before it was measured."""
    return "items" if context.get("field_type") == "List" else "characters"


def _words(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    if kind == "too_long":
        return f"must have at most {context['max_length']} {_unit(context)}"
    if kind == "too_short":
        return "must not be empty"
    return _WORDS.get(kind, error["msg"])
