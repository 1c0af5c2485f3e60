"""Signed webhooks: each acted on once, noted with what became of it; those that cannot be read are kept to be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import delete
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.changes.learn import learn
from blametrail.changes.tables import WebhookDelivery
from blametrail.changes.told import Merged, Nothing, Pushed, Told, Unreadable, read_payload
from blametrail.changes.watch import note_webhook, poll_soon, watched
from blametrail.changes.webhook_secrets import Signer, note_use
from blametrail.codehosts.access import Kind
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, NotFound
from blametrail.kit.redact import redact

KEPT = timedelta(days=30)
"""GitHub lets one send a webhook again for three days."""

LARGEST_KEPT = 100_000
"""Characters of a body that could not be read."""

LONGEST_NAME = 200
NO_DELIVERY = "There is no such webhook in this organization. Webhooks are forgotten after 30 days."


class Outcome(StrEnum):
    STORED = "stored"
    POLLED = "poll"
    NOTED = "noted"
    DUPLICATE = "duplicate"
    QUARANTINED = "unreadable"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came; `body` is kept only if it turns out to be unreadable."""

    kind: Kind
    id: str
    event: str
    body: bytes


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A webhook in the log; `body` has no secrets."""

    id: str
    kind: str
    event: str
    repository: str
    outcome: str
    reason: str
    body: str
    received_at: datetime


def take_delivery(session: ScopedSession, signer: Signer, delivery: Delivery, told: Told) -> Outcome:
    """Act on a webhook unless that was done before, and note it. Of two that come at the same moment, PostgreSQL refuses
    one with a Conflict; tried again, it is a duplicate. One that could not be read is tried anew when it is sent again."""
    note_use(session, signer.secret_id)
    row = session.exec(
        select(WebhookDelivery)
        .where(WebhookDelivery.kind == delivery.kind, WebhookDelivery.delivery_id == delivery.id[:LONGEST_NAME])
        .with_for_update()
    ).first()
    if row is not None and row.outcome != Outcome.QUARANTINED:
        return Outcome.DUPLICATE
    if row is None:
        row = WebhookDelivery(
            id=uuid4(),
            kind=delivery.kind,
            delivery_id=delivery.id[:LONGEST_NAME],
            event=delivery.event[:LONGEST_NAME],
            outcome="",
        )
        session.add(row)
        session.flush()
    return _settle(session, row, told, delivery.body)


def replay(session: ScopedSession, actor: Actor, delivery_id: UUID) -> Outcome:
    """Read a kept webhook once more: we may have learned to."""
    actor.require(Role.ADMIN)
    row = session.exec(select(WebhookDelivery).where(WebhookDelivery.id == delivery_id).with_for_update()).first()
    if row is None:
        raise NotFound(NO_DELIVERY)
    if row.outcome != Outcome.QUARANTINED or not row.body:
        raise Conflict("Only a webhook that could not be read, and whose body is kept, can be read again.")
    body = row.body.encode()
    return _settle(session, row, read_payload(Kind(row.kind), row.event, body), body)


def list_deliveries(session: ScopedSession, limit: int = 50) -> list[DeliveryView]:
    """Those that came last first."""
    rows = session.exec(select(WebhookDelivery).order_by(col(WebhookDelivery.received_at).desc()).limit(limit))
    return [DeliveryView(str(r.id), r.kind, r.event, r.repository, r.outcome, r.reason, r.body, r.received_at) for r in rows]


def forget_old_webhooks(session: ScopedSession) -> int:
    """Drop what came more than 30 days ago; answers how many."""
    return int(session.exec(delete(WebhookDelivery).where(col(WebhookDelivery.received_at) < now() - KEPT)).rowcount)


def _settle(session: ScopedSession, row: WebhookDelivery, told: Told, body: bytes) -> Outcome:
    outcome, row.reason = _act(session, told)
    row.outcome, row.body = outcome, ""
    if isinstance(told, Unreadable):
        kept = body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        row.body = redact(kept) if len(kept) <= LARGEST_KEPT else ""
    elif repository := told.repository:
        row.repository = f"{repository.host_url.partition('://')[2]}/{repository.path}"[:LONGEST_NAME]
    session.add(row)
    session.flush()
    session.announce("webhooks")
    return outcome


def _act(session: ScopedSession, told: Told) -> tuple[Outcome, str]:
    """Do what a webhook asks for; what was done, and in words."""
    if isinstance(told, Unreadable):
        return Outcome.QUARANTINED, told.why
    if told.repository is None:
        return Outcome.NOTED, told.why if isinstance(told, Nothing) else ""
    repositories = watched(session, told.repository.host_url, told.repository.path)
    if not repositories:
        return Outcome.NOTED, "No service links this repository."
    for repository in repositories:
        note_webhook(session, repository)
        if isinstance(told, Merged):
            learn(session, repository, told.fact, is_whole=told.is_whole)
        elif isinstance(told, Pushed):
            poll_soon(session, repository)
    if isinstance(told, Merged):
        return Outcome.STORED, f"#{told.fact.number} {told.fact.title}"[:LONGEST_NAME]
    return (
        (Outcome.POLLED, "Its merged pull requests are looked for.") if isinstance(told, Pushed) else (Outcome.NOTED, told.why)
    )
