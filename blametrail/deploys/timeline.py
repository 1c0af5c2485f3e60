"""The timeline: lanes of marks for a window, clustered where they would touch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from blametrail.catalog.services import names
from blametrail.deploys.filters import Filters
from blametrail.deploys.slices import GroupBy, count_slices
from blametrail.deploys.views import DeployView, deploys_at, environments
from blametrail.kit.db import ScopedSession

ROOM = 1 / 40
"""Share of the window that one mark needs; nearer ones become a cluster."""
MOST_LANES = 40


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` to `end`, both aware."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Mark:
    """One deploy, or a cluster of `count` between `start` and `end`."""

    start: datetime
    end: datetime
    count: int
    rollbacks: int
    deploy: DeployView | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    key: str
    label: str
    marks: tuple[Mark, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Timeline:
    window: Window
    lanes: tuple[Lane, ...]
    count: int
    hidden_lanes: int


def timeline(session: ScopedSession, window: Window, filters: Filters, group_by: GroupBy = "service") -> Timeline:
    """What a window shows. Cost grows with lanes, marks and one index entry a deploy."""
    services = names(session)
    keys: list[Any] = list(services) if group_by == "service" else environments(session)
    marks: dict[Any, list[Mark]] = {}
    for s in count_slices(session, keys, window.start, window.end, filters, group_by):
        marks.setdefault(s.lane, []).append(Mark(s.start, s.end, s.amount, s.rollbacks))
    lanes = [
        Lane(
            str(key),
            services[key] if group_by == "service" else key,
            tuple(cluster(found, window.length * ROOM)),
            sum(m.count for m in found),
        )
        for key, found in marks.items()
    ]
    shown = sorted(sorted(lanes, key=lambda lane: -lane.count)[:MOST_LANES], key=lambda lane: lane.label.lower())
    return Timeline(
        window=window,
        lanes=tuple(_with_deploys(session, shown, services)),
        count=sum(lane.count for lane in lanes),
        hidden_lanes=len(lanes) - len(shown),
    )


def cluster(marks: Iterable[Mark], room: timedelta) -> list[Mark]:
    """Join marks, sorted by time, that begin within `room` after the mark or cluster before them ends."""
    joined: list[Mark] = []
    for mark in sorted(marks, key=lambda m: m.start):
        last = joined[-1] if joined else None
        if last is not None and mark.start - last.end < room and mark.end - last.start < room * 4:
            joined[-1] = Mark(last.start, max(last.end, mark.end), last.count + mark.count, last.rollbacks + mark.rollbacks)
        else:
            joined.append(mark)
    return joined


def _with_deploys(session: ScopedSession, lanes: Sequence[Lane], services: Mapping[UUID, str]) -> Iterable[Lane]:
    """Marks of one deploy get what their card shows."""
    alone = {mark.start for lane in lanes for mark in lane.marks if mark.count == 1}
    rows = deploys_at(session, sorted(alone), services) if alone else []
    found = {(d.service_id, d.deployed_at): d for d in rows} | {(d.environment, d.deployed_at): d for d in rows}
    for lane in lanes:
        yield replace(
            lane,
            marks=tuple(replace(m, deploy=found.get((lane.key, m.start))) if m.count == 1 else m for m in lane.marks),
        )
