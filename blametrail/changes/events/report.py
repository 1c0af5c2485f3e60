"""What somebody or something says about a change event, checked at the door."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from blametrail.changes.events.kinds import EventKind
from blametrail.deploys.report import LONGEST_URL
from blametrail.kit.bodies import OptionalText, Text, Time, checked, read_object
from blametrail.kit.errors import Invalid

LONGEST_TITLE, LONGEST_NAME, LONGEST_VALUE = 300, 100, 1_000
MOST_SERVICES, MOST_ENVIRONMENTS, MOST_LABELS = 100, 20, 50


def _kind(value: Any) -> EventKind:
    try:
        return EventKind(value)
    except ValueError:
        raise PydanticCustomError("kind", "must be one of {kinds}", {"kinds": ", ".join(EventKind)}) from None


def _nothing_is_none_said(value: Any) -> Any:
    return {} if value is None else value


Kind = Annotated[EventKind, BeforeValidator(_kind)]
Named = Annotated[OptionalText, AfterValidator(str.strip), Field(max_length=LONGEST_TITLE)]
Name = Annotated[Text, AfterValidator(str.strip), Field(min_length=1, max_length=LONGEST_NAME)]
Labels = Annotated[
    dict[Name, Annotated[Text, Field(max_length=LONGEST_VALUE)]],
    Field(max_length=MOST_LABELS),
    BeforeValidator(_nothing_is_none_said),
]


class ChangeReport(BaseModel):
    """The body of a change post. `services` and `environments` are None where nothing is said of them, and empty where the
    event is of none in particular."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    kind: Kind
    title: Annotated[Text, AfterValidator(str.strip), Field(min_length=1, max_length=LONGEST_TITLE)]
    description: OptionalText = ""
    started_at: Time = None
    ended_at: Time = None
    services: Annotated[list[Name], Field(max_length=MOST_SERVICES)] | None = None
    environments: Annotated[list[Name], Field(max_length=MOST_ENVIRONMENTS)] | None = None
    who: Named = ""
    url: Annotated[OptionalText, Field(max_length=LONGEST_URL)] = ""
    labels: Labels = {}
    reverts: Named = ""


def parse_change(body: bytes) -> ChangeReport:
    """Read a body; raises Invalid naming each wrong field."""
    return checked_change(read_object(body))


def checked_change(data: dict[str, Any]) -> ChangeReport:
    """Check what was said; raises Invalid naming each wrong field."""
    report = checked(ChangeReport, data)
    if report.started_at and report.ended_at and report.ended_at < report.started_at:
        raise Invalid({"ended_at": "must not come before started_at"})
    return report


def labels_of(text: str) -> dict[str, str]:
    """Labels that a person wrote, `name=value` one a line; raises Invalid."""
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not name.strip() or not sign for name, sign, _ in pairs):
        raise Invalid({"labels": "must have one name=value a line"})
    return {name.strip(): value.strip() for name, _, value in pairs}
