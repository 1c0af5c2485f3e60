"""Count deploys lane by lane, slice of time by slice of time, from indexes alone.

Counting each slice is several times as fast as grouping all rows of a window, which sorts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, Column, Integer, String, column, func, literal, select, true, type_coerce, values

from blametrail.deploys.filters import Filters
from blametrail.deploys.lineage import Kind
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import from_micros, to_micros
from blametrail.kit.db import ScopedSession

GroupBy = Literal["service", "environment"]

SLICES = 48
"""The window is cut into so many slices, finer than marks can stand; the last may end some microseconds late."""

_table = Deploy.__table__  # type: ignore[attr-defined]
_at = type_coerce(_table.c.deployed_at, BigInteger)


@dataclass(frozen=True, slots=True)
class Slice:
    """Deploys of one lane in one slice of time: how many, and the times of the first and the last."""

    lane: Any
    start: datetime
    end: datetime
    count: int
    rollbacks: int


def lane_column(group_by: GroupBy) -> Column[Any]:
    column_: Column[Any] = _table.c.service_id if group_by == "service" else _table.c.environment
    return column_


def count_slices(
    session: ScopedSession, lanes: Sequence[Any], start: datetime, end: datetime, filters: Filters, group_by: GroupBy
) -> Iterable[Slice]:
    """The slices that hold deploys, of the lanes named."""
    if not lanes:
        return
    first, last = to_micros(start), to_micros(end)
    width = (last - first) // SLICES + 1
    rollbacks = _rollbacks(session, first, last, width, filters, group_by)
    lane = lane_column(group_by)
    keys = values(column("number", Integer), column("lane", lane.type), name="lanes").data(list(enumerate(lanes))).cte("lanes")
    numbers = select(literal(0, BigInteger).label("n")).cte("slices", recursive=True)
    numbers = numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < SLICES - 1))
    begin = literal(first, BigInteger) + numbers.c.n * literal(width, BigInteger)
    here = (
        _table.c.organization_id == session.scope,
        lane == keys.c.lane,
        _at >= begin,
        _at < begin + literal(width, BigInteger),
        *filters.conditions(),
    )

    def of_slice(what: Any, name: str) -> Any:
        return select(what).where(*here).select_from(_table).correlate(keys, numbers).scalar_subquery().label(name)

    counted = select(
        keys.c.number,
        numbers.c.n,
        of_slice(func.count(), "amount"),
        of_slice(func.min(_at), "earliest"),
        of_slice(func.max(_at), "latest"),
    ).select_from(keys.join(numbers, true()))
    # Empty slices are dropped here: asked to drop them, SQLite would count each slice a second time.
    for lane_number, slice_number, amount, earliest, latest in session.connection().execute(counted):
        if amount:
            key = lanes[lane_number]
            yield Slice(key, from_micros(earliest), from_micros(latest), amount, rollbacks.get((key, slice_number), 0))


def _rollbacks(
    session: ScopedSession, first: int, last: int, width: int, filters: Filters, group_by: GroupBy
) -> dict[tuple[Any, int], int]:
    """How many rollbacks each lane has in each slice; there are few, and an index of their own finds them."""
    lane, number = lane_column(group_by), ((_at - literal(first, BigInteger)) // literal(width, BigInteger)).label("n")
    rows = session.connection().execute(
        select(lane, number, func.count())
        .where(
            _table.c.organization_id == session.scope,
            _table.c.kind == literal(Kind.ROLLBACK.value, String),
            _at.between(first, last),
            *filters.conditions(),
        )
        .group_by(lane, number)
    )
    return {(key, n): count for key, n, count in rows}
