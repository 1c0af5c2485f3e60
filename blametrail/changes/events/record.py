"""Record a change event, told by a program or by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.catalog.tables import Service
from blametrail.changes.events.report import ChangeReport
from blametrail.changes.events.tables import ChangeEvent, ChangeEventEnvironment, ChangeEventService
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound

TOPIC = "change-events"
BY_HAND = ""
NO_EVENT = "There is no such change event in this organization. It may have been deleted."


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a change post."""

    status: Literal["accepted", "duplicate"]
    change_event_id: UUID
    deploy_id: ClassVar[UUID | None] = None


def record_change(
    session: ScopedSession, holder: TokenHolder, report: ChangeReport, key: str | None, received_at: datetime
) -> Kept | Invalid:
    """Store a change event, or answer the first one that came with the same key and token. The caller's lookup of the token has
    made posts of one service take turns. What names a service that is not there is refused, and nothing is stored."""
    if key is not None:
        with_key = select(ChangeEvent.id).where(ChangeEvent.token_id == holder.token_id, ChangeEvent.idempotency_key == key)
        if first := session.exec(with_key).first():
            return Kept("duplicate", first)
    try:
        services = [_own(session, holder)] if report.services is None else _named(session, report.services)
    except Invalid as error:
        return error
    event_id = _store(session, report, services, holder.service, received_at, holder.token_id, key)
    return Kept("accepted", event_id)


def record_by_hand(session: ScopedSession, actor: Actor, report: ChangeReport) -> UUID:
    """Store what a responder says; raises Invalid where a service is named that is not there."""
    actor.require(Role.RESPONDER)
    return _store(session, report, _named(session, report.services or []), BY_HAND, now())


def remove_by_hand(session: ScopedSession, actor: Actor, event_id: UUID) -> None:
    """Take back what a person said; what a program told stays. Raises NotFound."""
    actor.require(Role.RESPONDER)
    mine = select(ChangeEvent).where(
        ChangeEvent.id == event_id, ChangeEvent.source == BY_HAND, col(ChangeEvent.token_id).is_(None)
    )
    row = session.exec(mine).first()
    if row is None:
        raise NotFound(NO_EVENT)
    session.delete(row)
    session.announce(TOPIC)


def _store(
    session: ScopedSession,
    report: ChangeReport,
    services: Sequence[Service],
    source: str,
    received_at: datetime,
    token_id: UUID | None = None,
    key: str | None = None,
) -> UUID:
    environments = [service.environment for service in services] if report.environments is None else report.environments
    event = ChangeEvent(
        kind=report.kind.value,
        title=report.title,
        description=report.description,
        started_at=report.started_at or min(received_at, report.ended_at or received_at),
        ended_at=report.ended_at,
        who=report.who,
        url=report.url,
        is_of_all_services=not services,
        labels=dict(report.labels),
        reverts=report.reverts,
        source=source,
        received_at=received_at,
        token_id=token_id,
        idempotency_key=key,
    )
    session.add(event)
    session.flush()
    for service in services:
        session.add(ChangeEventService(change_event_id=event.id, service_id=service.id))
    for environment in dict.fromkeys(environments):
        session.add(ChangeEventEnvironment(change_event_id=event.id, environment=environment))
    session.announce(TOPIC)
    return event.id


def _own(session: ScopedSession, holder: TokenHolder) -> Service:
    return session.exec(select(Service).where(Service.id == holder.service_id)).one()


def _named(session: ScopedSession, names: Sequence[str]) -> list[Service]:
    """Services by their names, whatever their case, each once; raises Invalid naming those that are not there."""
    known = {service.name.lower(): service for service in session.exec(select(Service))} if names else {}
    wrong = {n: name for n, name in enumerate(names) if name.lower() not in known}
    if wrong:
        raise Invalid({f"services.{n}": "is not the name of a service of this organization" for n in wrong})
    return list({known[name.lower()].id: known[name.lower()] for name in names}.values())
