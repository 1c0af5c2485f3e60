"""What changed between two moments, per service and environment: deploys after the first, up to and with the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select

from blametrail.deploys.carried import NOTHING_CARRIED, Carried, carried
from blametrail.deploys.lineage import Kind
from blametrail.deploys.live_at import Target, live_ids
from blametrail.deploys.summaries import DeploySummary, Services, difference_url, link_of, summaries_of
from blametrail.deploys.tables import Deploy
from blametrail.kit.db import Prepared, ScopedSession, UtcTime

MOST_DEPLOYS = 20

_deploy = Deploy.__table__  # type: ignore[attr-defined]
_BETWEEN = (
    _deploy.c.organization_id == bindparam("organization_id"),
    _deploy.c.service_id == bindparam("service_id"),
    _deploy.c.environment == bindparam("environment"),
    _deploy.c.deployed_at > bindparam("start", type_=UtcTime()),
    _deploy.c.deployed_at <= bindparam("end", type_=UtcTime()),
)
_NEWEST_FIRST = (_deploy.c.deployed_at.desc(), _deploy.c.commit_sha.desc(), _deploy.c.id.desc())
_IDS = Prepared(select(_deploy.c.id).where(*_BETWEEN).order_by(*_NEWEST_FIRST).limit(MOST_DEPLOYS))
_COUNT = Prepared(select(func.count()).select_from(_deploy).where(*_BETWEEN))
_ROLLBACKS = Prepared(select(func.count()).select_from(_deploy).where(_deploy.c.kind == Kind.ROLLBACK.value, *_BETWEEN))


@dataclass(frozen=True, slots=True)
class Change:
    """A target at both moments, and what happened in between. `deploys` are the newest, `deploy_count` counts all."""

    target: Target
    before: DeploySummary | None
    after: DeploySummary | None
    deploys: tuple[DeploySummary, ...] = ()
    deploy_count: int = 0
    rollback_count: int = 0
    compare_url: str = ""
    carried: Carried = NOTHING_CARRIED

    @property
    def base_sha(self) -> str:
        return self.before.deploy.commit_sha if self.before else ""

    @property
    def head_sha(self) -> str:
        return self.after.deploy.commit_sha if self.after else ""


def what_changed(
    session: ScopedSession, services: Services, wanted: Sequence[Target], start: datetime, end: datetime
) -> list[Change]:
    """Each target, changed or not; `start` comes before `end`."""
    before, after = live_ids(session, wanted, start), live_ids(session, wanted, end)
    moved = [target for target in wanted if before.get(target) != after.get(target)]
    between = {target: _ids(session, target, start, end) for target in moved}
    ids = {*before.values(), *after.values(), *(id_ for found in between.values() for id_ in found)}
    deploys = summaries_of(session, services, list(ids))

    def change(target: Target) -> Change:
        first, last = (deploys.get(ends[target]) if target in ends else None for ends in (before, after))
        if target not in between:
            return Change(target, first, last)
        found = tuple(deploys[id_] for id_ in between[target] if id_ in deploys)
        link = link_of(services.get(target.service_id))
        compare = difference_url(link, *(one.deploy.commit_sha if one else "" for one in (first, last)))
        counts = _counts(session, target, start, end, found)
        return Change(target, first, last, found, *counts, compare, carried(session, between[target], link))

    return [change(target) for target in wanted]


def _ids(session: ScopedSession, target: Target, start: datetime, end: datetime) -> list[UUID]:
    return [row[0] for row in session.run(_IDS, **_parameters(target, start, end))]


def _counts(
    session: ScopedSession, target: Target, start: datetime, end: datetime, found: Sequence[DeploySummary]
) -> tuple[int, int]:
    """How many deploys there were, and how many of them were rollbacks."""
    if len(found) < MOST_DEPLOYS:
        return len(found), sum(one.deploy.kind == Kind.ROLLBACK for one in found)
    asked = _parameters(target, start, end)
    return session.run(_COUNT, **asked)[0][0], session.run(_ROLLBACKS, **asked)[0][0]


def _parameters(target: Target, start: datetime, end: datetime) -> dict[str, Any]:
    return {"service_id": target.service_id, "environment": target.environment, "start": start, "end": end}
