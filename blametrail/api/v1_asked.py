"""Parameters that several addresses of the read API take, and pages of what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from blametrail.api.operations import Parameter
from blametrail.api.parameters import LONGEST_CURSOR, Parameters, cursor_of
from blametrail.deploys.live_at import Target, targets
from blametrail.deploys.summaries import Services
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid

PAGE, LONGEST_PAGE = 50, 200
TIME = {"type": "string", "format": "date-time"}

SERVICE = Parameter("service", "A service by its name or id.")
ENVIRONMENT = Parameter("environment", "An environment, exactly.")
SINCE = Parameter("since", "From this moment on, that moment included.", TIME)
UNTIL = Parameter("until", "Before this moment.", TIME)
LIMIT = Parameter("limit", "How many at most.", {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE})
CURSOR = Parameter("cursor", "What the page before answered as `next_cursor`.", {"type": "string", "maxLength": LONGEST_CURSOR})
ON_A_PAGE = (LIMIT, CURSOR)

T = TypeVar("T")


def id_of(name: str, what: str) -> Parameter:
    return Parameter(name, f"The id of {what}.", {"type": "string", "format": "uuid"}, "path", is_required=True)


def service_id_of(services: Mapping[UUID, Any], wanted: str) -> UUID | None:
    """A service by its name or id, None for none; raises Invalid when there is no such one."""
    if not wanted:
        return None
    for id_, service in services.items():
        if wanted.lower() in {str(id_), service.name.lower()}:
            return id_
    raise Invalid({"service": "must be the name or the id of a service of this organization"})


def last_before(moment: datetime | None) -> datetime | None:
    """The last moment that lies before one: databases keep microseconds."""
    return moment - timedelta(microseconds=1) if moment and moment.replace(tzinfo=None) > datetime.min else moment


def cut(
    items: Sequence[T], limit: int, place: Callable[[T], tuple[str, ...]], after: tuple[str, ...]
) -> tuple[Sequence[T], str | None]:
    """The page of sorted items behind a place, and the cursor of the next one."""
    rest = [item for item in items if place(item) > after]
    return rest[:limit], cursor_of(*place(rest[limit - 1])) if len(rest) > limit else None


def targets_of(asked: Parameters) -> Callable[[ScopedSession, Services], tuple[Sequence[Target], str | None]]:
    """A page of services and environments that a request asks about, and the cursor of the next."""
    service, environment = asked.text(SERVICE), asked.text(ENVIRONMENT)
    limit, after = asked.number(LIMIT), asked.cursor(CURSOR, 2)

    def find(session: ScopedSession, services: Services) -> tuple[Sequence[Target], str | None]:
        service_id = service_id_of(services, service)
        only = [service_id] if service_id else []
        found = targets(session, services, only, [environment] if environment else [])
        return cut(found, limit, lambda target: target.place, after)

    return find
