"""Which service an alert is about: by its source, by its labels, or by a mapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from uuid import UUID

NAMING = ("service", "job", "app")
"""Labels that may hold a service's name."""

PLACING = ("environment", "env")
MOST_MATCHERS, LONGEST_MATCHER = 10, 200


@dataclass(frozen=True, slots=True)
class KnownService:
    id: UUID
    name: str
    environment: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A mapping: alerts with all these labels (`*` stands for anything) are of this service."""

    matchers: Mapping[str, str]
    service_id: UUID
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """What an organization knows to route by; services by their name in lower case, mappings in their order."""

    services: Mapping[str, KnownService]
    mappings: Sequence[Mapped] = ()
    by_id: Mapping[UUID, KnownService] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert belongs, and why, in words; `service` is None when nothing says so."""

    service: KnownService | None
    environment: str
    why: str


def place_of(labels: Mapping[str, str], directory: Directory, service_id: UUID | None = None, environment: str = "") -> Place:
    """The source's own service goes first, then a label that names one, then the first mapping that fits."""
    environment = environment or next((labels[name] for name in PLACING if labels.get(name)), "")
    if service_id and (own := directory.by_id.get(service_id)):
        return Place(own, environment or own.environment, "its source is of this service")
    for name in NAMING:
        if found := directory.services.get(labels.get(name, "").strip().lower()):
            return Place(found, environment or found.environment, f"its label {name} is {found.name}")
    for mapping in directory.mappings:
        if _fits(mapping.matchers, labels) and (mapped := directory.by_id.get(mapping.service_id)):
            return Place(
                mapped,
                mapping.environment or environment or mapped.environment,
                f"the mapping {written(mapping.matchers)} fits",
            )
    return Place(None, environment, "neither its source, nor a label, nor a mapping names a service")


def read_labels(text: str) -> dict[str, str]:
    """`name=value`, separated by commas or lines, values in quotes or not; raises ValueError in words."""
    found: dict[str, str] = {}
    for piece in text.replace("\n", ",").strip().strip("{}").split(","):
        name, is_pair, value = (part.strip() for part in piece.partition("="))
        if not piece.strip():
            continue
        if not is_pair or not name or len(name) > LONGEST_MATCHER or len(value) > LONGEST_MATCHER:
            raise ValueError("must be labels such as team=payments, job=api-*")
        found[name] = value.strip('"')
    return found


def written(labels: Mapping[str, str]) -> str:
    """Labels as `read_labels` reads them."""
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def _fits(matchers: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(matchers) and all(fnmatchcase(labels.get(name, ""), value) for name, value in matchers.items())
