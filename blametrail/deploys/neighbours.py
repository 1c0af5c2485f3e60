"""The deploys before and after one, of the same service and environment."""

from __future__ import annotations

from typing import Any

from sqlalchemy import tuple_
from sqlmodel import col, select

from blametrail.deploys.tables import Deploy
from blametrail.kit.db import ScopedSession

# The commit decides between equal times, so that the order of arrival never does.
_ORDER = (col(Deploy.deployed_at), col(Deploy.commit_sha), col(Deploy.id))
_NEWEST_FIRST = tuple(column.desc() for column in _ORDER)


def before(session: ScopedSession, row: Deploy, commit: str = "") -> Deploy | None:
    """The nearest earlier deploy, of `commit` if one is given."""
    return session.exec(_siblings(row, commit).where(tuple_(*_ORDER) < _place(row)).order_by(*_NEWEST_FIRST).limit(1)).first()


def after(session: ScopedSession, row: Deploy) -> Deploy | None:
    """The nearest later deploy."""
    return session.exec(_siblings(row).where(tuple_(*_ORDER) > _place(row)).order_by(*_ORDER).limit(1)).first()


def all_after(session: ScopedSession, row: Deploy, commit: str) -> list[Deploy]:
    """Every later deploy of `commit`."""
    return list(session.exec(_siblings(row, commit).where(tuple_(*_ORDER) > _place(row))))


def _siblings(row: Deploy, commit: str = "") -> Any:
    same = select(Deploy).where(Deploy.service_id == row.service_id, Deploy.environment == row.environment)
    return same.where(Deploy.commit_sha == commit) if commit else same


def _place(row: Deploy) -> Any:
    return (row.deployed_at, row.commit_sha, row.id)
