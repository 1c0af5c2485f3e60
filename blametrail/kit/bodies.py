"""JSON from outside, checked at the door: what is wrong with each field, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from blametrail.kit.clock import parse_iso
from blametrail.kit.errors import Invalid

Body = TypeVar("Body", bound=BaseModel)

_WORDS = {
    "missing": "is required",
    "string_type": "must be a string",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
}


def read_object(body: bytes) -> dict[str, Any]:
    """A body as a JSON object, its numbers as they may be; raises Invalid naming `body`."""
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
    return data


def checked(model: type[Body], data: Mapping[str, Any], *, within: str = "") -> Body:
    """An object as a model; raises Invalid naming each wrong field as `commits.3.sha`, below `within`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        raise Invalid({_path(within, e["loc"]): _words(e) for e in wrong}) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _path(within: str, location: tuple[int | str, ...]) -> str:
    """The name of a field; `[key]` is what pydantic calls a key of a mapping that is wrong itself."""
    return ".".join(str(part) for part in (within, *location) if part not in {"", "[key]"}) or "body"


def _unit(context: dict[str, Any]) -> str:
    """What a length counts: pydantic says `List`, or `Value` for text that was changed before it was measured."""
    return "items" if context.get("field_type") in {"List", "Dict", "Dictionary"} else "characters"


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
OptionalText = Annotated[Text, BeforeValidator(_nothing_is_empty, json_schema_input_type=str | None)]
Time = Annotated[datetime | None, BeforeValidator(_time())]
TimeOfCommit = Annotated[datetime | None, BeforeValidator(_time(default_zone=UTC))]
