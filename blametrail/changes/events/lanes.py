"""Change events on the timeline: lanes of marks for a window, clustered where they would touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from blametrail.changes.events.find import EventFilters, EventView, find_events
from blametrail.deploys.filters import Filters
from blametrail.deploys.slices import GroupBy
from blametrail.deploys.timeline import ROOM, Window
from blametrail.kit.db import ScopedSession

MOST_EVENTS = 500
"""Of a window, those that began last."""

EVERYWHERE = ""
"""The lane of events that are of no service, or environment, in particular."""


@dataclass(frozen=True, slots=True)
class EventMark:
    """One change event, or a cluster of `count` that began between `start` and `end`."""

    start: datetime
    end: datetime
    count: int
    event: EventView | None = None


@dataclass(frozen=True, slots=True)
class EventLane:
    """The same `key` as that of the lane of deploys."""

    key: str
    label: str
    marks: tuple[EventMark, ...]
    count: int


@dataclass(frozen=True, slots=True)
class EventsShown:
    """Lanes of a window, and its events themselves, newest first; `has_more` when there are others before them."""

    lanes: tuple[EventLane, ...]
    events: tuple[EventView, ...]
    has_more: bool


def event_lanes(session: ScopedSession, window: Window, filters: Filters, group_by: GroupBy = "service") -> EventsShown:
    """What a window shows beside deploys. Change events have no branch: who asks for one sees none."""
    if filters.branch:
        return EventsShown((), (), has_more=False)
    asked = EventFilters(
        filters.services, filters.environments, "", filters.author, filters.text, start=window.start, end=window.end
    )
    page = find_events(session, asked, limit=MOST_EVENTS)
    wanted = {str(id_) for id_ in filters.services} if group_by == "service" else set(filters.environments)
    lanes: dict[tuple[str, str], list[EventView]] = {}
    for event in page.events:
        for key, label in _lanes_of(event, group_by):
            if not wanted or key in wanted or key == EVERYWHERE:
                lanes.setdefault((key, label), []).append(event)
    shown = tuple(
        EventLane(key, label, tuple(cluster(events, window.length * ROOM)), len(events))
        for (key, label), events in lanes.items()
    )
    return EventsShown(shown, page.events, bool(page.next_cursor))


def cluster(events: Iterable[EventView], room: timedelta) -> list[EventMark]:
    """Join those that begin within `room` after the one or the cluster before them."""
    joined: list[EventMark] = []
    for event in sorted(events, key=lambda e: (e.started_at, e.id)):
        last = joined[-1] if joined else None
        if last is not None and event.started_at - _begins_last(last) < room and event.started_at - last.start < room * 4:
            joined[-1] = replace(last, end=event.started_at, count=last.count + 1, event=None)
        else:
            joined.append(EventMark(event.started_at, event.end, 1, event))
    return joined


def _begins_last(mark: EventMark) -> datetime:
    """When the last of a mark began: a lone event may end long after."""
    return mark.start if mark.event else mark.end


def _lanes_of(event: EventView, group_by: GroupBy) -> Sequence[tuple[str, str]]:
    if group_by == "service":
        return [(EVERYWHERE, "All services")] if event.is_of_all_services else event.services
    return [(name, name) for name in event.environments] or [(EVERYWHERE, "All environments")]
