"""What was live at a moment, per service and environment. Deploys count from when they happened, whenever they were reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, column, select, values

from blametrail.catalog.tables import Service
from blametrail.deploys.summaries import DeploySummary, Services, summaries_of
from blametrail.deploys.tables import Deploy
from blametrail.kit.db import ScopedSession

MOST_TARGETS = 5_000

_deploy = Deploy.__table__  # type: ignore[attr-defined]
_service = Service.__table__  # type: ignore[attr-defined]
_ORDER = (_deploy.c.deployed_at, _deploy.c.commit_sha, _deploy.c.id)  # as in `neighbours.py`


@dataclass(frozen=True, slots=True)
class Target:
    """A service in one environment: what a deploy goes to."""

    service_id: UUID
    service: str
    environment: str

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands among the others."""
        return (self.service.lower(), self.environment)


@dataclass(frozen=True, slots=True)
class Live:
    """The deploy that was live; if none is known, the time of the first one that came later, if any did."""

    target: Target
    deploy: DeploySummary | None
    first_at: datetime | None


def targets(
    session: ScopedSession, services: Services, only_services: Iterable[UUID] = (), only_environments: Iterable[str] = ()
) -> list[Target]:
    """Every service with each environment that it was deployed to, or is said to live in; by name. Empty filters
    filter nothing."""
    wanted = set(only_services) or set(services)
    environments = set(only_environments)
    pairs = {(id_, services[id_].environment) for id_ in wanted if id_ in services}
    pairs |= {(id_, name) for id_, name in _deployed_to(session, wanted) if id_ in services}
    found = (Target(id_, services[id_].name, name) for id_, name in pairs if not environments or name in environments)
    return sorted(found, key=lambda target: target.place)


def live_at(session: ScopedSession, services: Services, wanted: Sequence[Target], moment: datetime) -> list[Live]:
    """What was live on each target at a moment; a deploy at that very moment is live."""
    ids = live_ids(session, wanted, moment)
    deploys = summaries_of(session, services, list(ids.values()))
    first = _first_at(session, [target for target in wanted if target not in ids])
    return [Live(target, deploys.get(ids[target]) if target in ids else None, first.get(target)) for target in wanted]


def live_ids(session: ScopedSession, wanted: Sequence[Target], moment: datetime) -> dict[Target, UUID]:
    """The deploys that were live, by target; each is one step in an index."""
    newest_first = [key.desc() for key in _ORDER]
    return _of_each(session, wanted, _deploy.c.id, newest_first, _deploy.c.deployed_at <= moment)


def _first_at(session: ScopedSession, wanted: Sequence[Target]) -> dict[Target, datetime]:
    return _of_each(session, wanted, _deploy.c.deployed_at, _ORDER)


def _of_each(
    session: ScopedSession, wanted: Sequence[Target], what: Any, order: Sequence[Any], *conditions: Any
) -> dict[Target, Any]:
    """A column of the first deploy of each target, in an order; targets without any are left out."""
    if not wanted:
        return {}
    given = values(
        column("number", Integer),
        column("service_id", _deploy.c.service_id.type),
        column("environment", _deploy.c.environment.type),
        name="targets",
    )
    keys = given.data([(number, t.service_id, t.environment) for number, t in enumerate(wanted)]).cte("targets")
    first = (
        select(what)
        .where(
            _deploy.c.organization_id == session.scope,
            _deploy.c.service_id == keys.c.service_id,
            _deploy.c.environment == keys.c.environment,
            *conditions,
        )
        .order_by(*order)
        .limit(1)
        .correlate(keys)
        .scalar_subquery()
    )
    rows = session.connection().execute(select(keys.c.number, first))
    return {wanted[number]: found for number, found in rows if found is not None}


def _deployed_to(session: ScopedSession, services: Iterable[UUID]) -> Iterable[tuple[UUID, str]]:
    """Each service with each environment it was deployed to, hopping through an index from one to the next."""
    ids = list(services)
    first = _next_environment(session).where(_deploy.c.service_id == _service.c.id).correlate(_service).scalar_subquery()
    found = (
        select(_service.c.id.label("service_id"), first.label("environment"))
        .where(_service.c.organization_id == session.scope, _service.c.id.in_(ids))
        .cte("found", recursive=True)
    )
    following = (
        _next_environment(session)
        .where(_deploy.c.service_id == found.c.service_id, _deploy.c.environment > found.c.environment)
        .correlate(found)
        .scalar_subquery()
    )
    found = found.union_all(select(found.c.service_id, following).where(found.c.environment.is_not(None)))
    rows = session.connection().execute(select(found).where(found.c.environment.is_not(None)).limit(MOST_TARGETS))
    return [(service_id, environment) for service_id, environment in rows]


def _next_environment(session: ScopedSession) -> Any:
    mine = select(_deploy.c.environment).where(_deploy.c.organization_id == session.scope)
    return mine.order_by(_deploy.c.environment).limit(1)
