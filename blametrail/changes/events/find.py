"""Find change events: those of a time, page by page, and one by its id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, tuple_
from sqlmodel import col, select

from blametrail.catalog.services import names
from blametrail.changes.events.tables import ChangeEvent, ChangeEventEnvironment, ChangeEventService
from blametrail.deploys.tables import Deploy
from blametrail.kit.cursors import cursor_of, read_cursor
from blametrail.kit.db import ScopedSession

PAGE = 50
_service_id, _environment = col(ChangeEventService.service_id), col(ChangeEventEnvironment.environment)


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Empty fields filter nothing. An event of all services, or without environments, fits any. A time that an event took
    and the time asked for need only touch."""

    services: tuple[UUID, ...] = ()
    environments: tuple[str, ...] = ()
    kind: str = ""
    author: str = ""
    text: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventView:
    """A change event as it is shown; `services` are ids and names, `reverts_href` is empty for what we do not know."""

    id: str
    kind: str
    title: str
    description: str
    started_at: datetime
    ended_at: datetime | None
    is_of_all_services: bool
    services: tuple[tuple[str, str], ...]
    environments: tuple[str, ...]
    who: str
    url: str
    labels: tuple[tuple[str, str], ...]
    reverts: str
    reverts_href: str
    source: str
    received_at: datetime

    @property
    def end(self) -> datetime:
        return self.ended_at or self.started_at


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first; `next_cursor` is empty on the last page."""

    events: tuple[EventView, ...]
    next_cursor: str


def find_events(session: ScopedSession, filters: EventFilters, cursor: str = "", limit: int = PAGE) -> EventPage:
    """A page of change events, newest first; an unreadable cursor starts at the first page."""
    place = (col(ChangeEvent.started_at), col(ChangeEvent.id))
    page = select(ChangeEvent).where(*_conditions(filters)).order_by(*(part.desc() for part in place))
    if after := read_cursor(cursor):
        page = page.where(tuple_(*place) < after)
    rows = session.exec(page.limit(limit + 1)).all()
    return EventPage(
        events=tuple(_views(session, rows[:limit])),
        next_cursor=cursor_of(rows[limit - 1].started_at, rows[limit - 1].id) if len(rows) > limit else "",
    )


def find_event(session: ScopedSession, event_id: UUID) -> EventView | None:
    """One change event, None when there is no such one in this organization."""
    row = session.exec(select(ChangeEvent).where(ChangeEvent.id == event_id)).first()
    return _views(session, [row])[0] if row else None


def _conditions(filters: EventFilters) -> list[Any]:
    e, found = ChangeEvent, []
    if filters.start:
        found.append(or_(col(e.started_at) >= filters.start, col(e.ended_at) >= filters.start))
    if filters.end:
        found.append(col(e.started_at) <= filters.end)
    if filters.kind:
        found.append(col(e.kind) == filters.kind)
    if filters.author:
        found.append(col(e.who).icontains(filters.author, autoescape=True))
    if filters.text:
        columns = (e.title, e.description, e.url, e.reverts)
        found.append(or_(*(col(c).icontains(filters.text, autoescape=True) for c in columns)))
    if filters.services:
        found.append(or_(col(e.is_of_all_services), _has(ChangeEventService).where(_service_id.in_(filters.services))))
    if filters.environments:
        is_any = _has(ChangeEventEnvironment)
        found.append(or_(~is_any, is_any.where(_environment.in_(filters.environments))))
    return found


def _has(table: Any) -> Any:
    return exists().where(table.change_event_id == ChangeEvent.id).correlate(ChangeEvent)


def _views(session: ScopedSession, rows: Sequence[ChangeEvent]) -> list[EventView]:
    ids = [row.id for row in rows]
    known = names(session) if rows else {}
    services: dict[UUID, list[tuple[str, str]]] = {}
    for link in session.exec(select(ChangeEventService).where(col(ChangeEventService.change_event_id).in_(ids))):
        services.setdefault(link.change_event_id, []).append((str(link.service_id), known.get(link.service_id, "")))
    environments: dict[UUID, list[str]] = {}
    for place in session.exec(select(ChangeEventEnvironment).where(col(ChangeEventEnvironment.change_event_id).in_(ids))):
        environments.setdefault(place.change_event_id, []).append(place.environment)
    hrefs = _hrefs(session, {row.reverts for row in rows if row.reverts})
    return [
        EventView(
            id=str(row.id),
            kind=row.kind,
            title=row.title,
            description=row.description,
            started_at=row.started_at,
            ended_at=row.ended_at,
            is_of_all_services=row.is_of_all_services,
            services=tuple(sorted(services.get(row.id, ()), key=lambda pair: pair[1].lower())),
            environments=tuple(sorted(environments.get(row.id, ()))),
            who=row.who,
            url=row.url if row.url.startswith(("https://", "http://")) else "",
            labels=tuple(sorted(row.labels.items())),
            reverts=row.reverts,
            reverts_href=hrefs.get(row.reverts, ""),
            source=row.source,
            received_at=row.received_at,
        )
        for row in rows
    ]


def event_href(event_id: str) -> str:
    """The page of one change event."""
    return f"/changes/events?event={event_id}"


def _hrefs(session: ScopedSession, said: set[str]) -> dict[str, str]:
    """Where those lead that are ids of ours."""
    ids = {wanted: text for text in said if (wanted := _id(text))}
    found: dict[str, str] = {}
    if ids:
        for id_ in session.exec(select(ChangeEvent.id).where(col(ChangeEvent.id).in_(ids))):
            found[ids[id_]] = event_href(str(id_))
        for id_ in session.exec(select(Deploy.id).where(col(Deploy.id).in_(ids))):
            found[ids[id_]] = f"/deploys/{id_}"
    return found


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
