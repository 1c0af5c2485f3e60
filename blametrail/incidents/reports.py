"""What somebody or something says about an incident: pure data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.errors import Invalid

LONGEST_TITLE, LONGEST_TEXT = 300, 20_000


@dataclass(frozen=True, slots=True)
class Onset:
    """When it began: an estimate between two moments, and what it rests on, in words that follow "because"."""

    at: datetime
    earliest: datetime
    latest: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Symptom:
    """What an incident shows; each text as it came, empty when unknown."""

    error_message: str = ""
    stack_trace: str = ""
    log_excerpt: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Something broke: opens an incident or adds to one. `who` is a person's name, or what told, such as `monitor checkout`;
    `origin` is the key under which the same thing will tell again, empty for people."""

    type: IncidentType
    severity: Severity
    title: str
    onset: Onset
    detected_at: datetime
    who: str
    origin: str = ""
    description: str = ""
    symptom: Symptom = field(default_factory=Symptom)
    service_ids: tuple[UUID, ...] = ()
    environments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IncidentDraft:
    """What a person says of an incident, checked: an unknown severity or an empty title is refused."""

    title: str
    severity: str
    description: str = ""
    service_ids: tuple[UUID, ...] = ()
    environments: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        *,
        title: str,
        severity: str,
        description: str = "",
        service_ids: Iterable[UUID] = (),
        environments: Iterable[str] = (),
    ) -> IncidentDraft:
        """Raises Invalid, naming what is wrong."""
        wrong = {}
        if not 1 <= len(title.strip()) <= LONGEST_TITLE:
            wrong["title"] = f"must have 1 to {LONGEST_TITLE} characters"
        if severity not in set(Severity):
            wrong["severity"] = f"must be {', '.join(Severity)}"
        if len(description) > LONGEST_TEXT:
            wrong["description"] = f"must have at most {LONGEST_TEXT:,} characters"
        if wrong:
            raise Invalid(wrong)
        named = tuple(dict.fromkeys(e.strip() for e in environments if e.strip()))
        return cls(title.strip(), severity, description.strip(), tuple(dict.fromkeys(service_ids)), named)
