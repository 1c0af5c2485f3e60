"""The deploys before and after one, of the same service and environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, tuple_

from blametrail.deploys.tables import Deploy
from blametrail.kit.db import Prepared, ScopedSession

_table = Deploy.__table__  # type: ignore[attr-defined]
# The commit decides between equal times, so that the order of arrival never does.
_ORDER = (_table.c.deployed_at, _table.c.commit_sha, _table.c.id)
_OLDEST_FIRST, _NEWEST_FIRST = _ORDER, tuple(column.desc() for column in _ORDER)
_MINE = tuple_(*(bindparam(column.name, type_=column.type) for column in _ORDER))
_SAME_COMMIT = _table.c.commit_sha == bindparam("commit_sha")
# Among deploys of one commit its name decides nothing; left out, an index answers.
_ORDER_OF_SAME = (_table.c.deployed_at, _table.c.id)
_MINE_OF_SAME = tuple_(*(bindparam(column.name, type_=column.type) for column in _ORDER_OF_SAME))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deploy stands among those of its service and environment."""

    id: UUID
    commit_sha: str
    deployed_at: datetime
    service_id: UUID
    environment: str


def place_of(row: Deploy) -> Place:
    return Place(row.id, row.commit_sha, row.deployed_at, row.service_id, row.environment)


def _prepared(*conditions: Any, order: Any = (), one: bool = True) -> Prepared:
    statement = (
        select(_table.c.id, _table.c.commit_sha, _table.c.deployed_at, _table.c.service_id, _table.c.environment)
        .where(
            _table.c.organization_id == bindparam("organization_id"),
            _table.c.service_id == bindparam("service_id"),
            _table.c.environment == bindparam("environment"),
            *conditions,
        )
        .order_by(*order)
    )
    return Prepared(statement.limit(1) if one else statement)


_NEWEST = _prepared(order=_NEWEST_FIRST)
_BEFORE = _prepared(tuple_(*_ORDER) < _MINE, order=_NEWEST_FIRST)
_BEFORE_SAME = _prepared(
    _SAME_COMMIT, tuple_(*_ORDER_OF_SAME) < _MINE_OF_SAME, order=[column.desc() for column in _ORDER_OF_SAME]
)
_AFTER = _prepared(tuple_(*_ORDER) > _MINE, order=_OLDEST_FIRST)
_AFTER_SAME = _prepared(_SAME_COMMIT, tuple_(*_ORDER_OF_SAME) > _MINE_OF_SAME, one=False)


def newest(session: ScopedSession, place: Place) -> Place | None:
    """The newest deploy of the same service and environment."""
    return _first(session, _NEWEST, place)


def before(session: ScopedSession, place: Place) -> Place | None:
    """The nearest earlier deploy."""
    return _first(session, _BEFORE, place)


def before_of_same_commit(session: ScopedSession, place: Place) -> Place | None:
    """The nearest earlier deploy of the same commit."""
    return _first(session, _BEFORE_SAME, place)


def after(session: ScopedSession, place: Place) -> Place | None:
    """The nearest later deploy."""
    return _first(session, _AFTER, place)


def all_after_of_same_commit(session: ScopedSession, place: Place) -> list[Place]:
    """Every later deploy of the same commit."""
    return [Place(*row) for row in session.run(_AFTER_SAME, **_parameters(place))]


def _first(session: ScopedSession, statement: Prepared, place: Place) -> Place | None:
    rows = session.run(statement, **_parameters(place))
    return Place(*rows[0]) if rows else None


def _parameters(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in ("id", "commit_sha", "deployed_at", "service_id", "environment")}
