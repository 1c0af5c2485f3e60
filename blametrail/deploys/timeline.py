"""The timeline: lanes of marks for a window, clustered where they would touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import BigInteger, String, case, cast, func, type_coerce
from sqlmodel import col, select

from blametrail.catalog.services import names
from blametrail.deploys.filters import Filters
from blametrail.deploys.lineage import Kind
from blametrail.deploys.tables import Deploy
from blametrail.deploys.views import DeployView, deploy_view
from blametrail.kit.clock import from_micros, to_micros
from blametrail.kit.db import ScopedSession

SLICES = 360
"""The database groups a window into so many slices; finer than marks can stand."""
ROOM = 1 / 60
"""Share of the window that one mark needs; nearer ones become a cluster."""
MOST_LANES = 40

GroupBy = Literal["service", "environment"]


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
    deploy_id: str = ""
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
    """What a window shows. Cost grows with the marks, and with one index entry a deploy."""
    labels = {str(id_): name for id_, name in names(session).items()}
    slices: dict[str, list[Mark]] = {}
    for key, mark in _sliced(session, window, filters, group_by):
        slices.setdefault(key, []).append(mark)
    lanes = [
        Lane(key, labels.get(key, key), tuple(cluster(marks, window.length * ROOM)), sum(m.count for m in marks))
        for key, marks in slices.items()
    ]
    shown = sorted(sorted(lanes, key=lambda lane: -lane.count)[:MOST_LANES], key=lambda lane: lane.label.lower())
    return Timeline(
        window=window,
        lanes=tuple(_with_deploys(session, shown)),
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


def _sliced(session: ScopedSession, window: Window, filters: Filters, group_by: GroupBy) -> Iterable[tuple[str, Mark]]:
    """(lane key, mark) of each slice of time that holds deploys."""
    start, length = to_micros(window.start), max(SLICES, int(window.length / timedelta(microseconds=1)))
    at = type_coerce(col(Deploy.deployed_at), BigInteger)
    lane: Any = cast(col(Deploy.service_id), String) if group_by == "service" else col(Deploy.environment)
    slice_ = ((at - start) // (length // SLICES)).label("slice")
    statement = (
        select(  # type: ignore[call-overload]
            lane,
            func.min(at),
            func.max(at),
            func.count(),
            func.sum(case((col(Deploy.kind) == Kind.ROLLBACK, 1), else_=0)),
            func.min(cast(col(Deploy.id), String)),
        )
        .where(Deploy.deployed_at >= window.start, Deploy.deployed_at <= window.end, *filters.conditions())
        .group_by(lane, slice_)
    )
    for key, first, last, count, rollbacks, deploy_id in session.exec(statement):
        name = str(UUID(key)) if group_by == "service" else key
        yield name, Mark(from_micros(first), from_micros(last), count, int(rollbacks), deploy_id if count == 1 else "")


def _with_deploys(session: ScopedSession, lanes: Sequence[Lane]) -> Iterable[Lane]:
    """Marks of one deploy get what their card shows."""
    wanted = [UUID(mark.deploy_id) for lane in lanes for mark in lane.marks if mark.deploy_id]
    services = names(session)
    found = {
        row.id: deploy_view(row, services.get(row.service_id, ""))
        for row in (session.exec(select(Deploy).where(col(Deploy.id).in_(wanted))) if wanted else ())
    }
    for lane in lanes:
        yield replace(
            lane,
            marks=tuple(
                replace(m, deploy_id=str(UUID(m.deploy_id)), deploy=found.get(UUID(m.deploy_id))) if m.deploy_id else m
                for m in lane.marks
            ),
        )
