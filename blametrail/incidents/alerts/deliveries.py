"""The log of what alert sources sent: read it, replay a message, try a source out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.incidents.alerts.connect import get_source
from blametrail.incidents.alerts.mappings import directory
from blametrail.incidents.alerts.receive import act, note, read_message
from blametrail.incidents.alerts.routing import written
from blametrail.incidents.alerts.samples import SAMPLES
from blametrail.incidents.alerts.shapes import AlertStatus, SourceKind
from blametrail.incidents.alerts.tables import AlertDelivery, AlertSource, AlertState
from blametrail.incidents.alerts.take import NEEDED, Outcome, Result, Taking
from blametrail.incidents.open import take_turns
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, NotFound
from blametrail.kit.keys import KeyRing

KEPT = timedelta(days=30)
SHOWN, SHOWN_CHARACTERS = 50, 4_000
NO_DELIVERY = "There is no such message in this organization. Messages are forgotten after 30 days."


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A message in the log; `payload` has no secrets, and only its beginning when it is long."""

    id: str
    source: str
    kind: str
    result: str
    reason: str
    payload: str
    incident_id: str
    address: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class UnmappedView:
    """What fires and belongs to no service; `labels` as a mapping is written."""

    id: str
    title: str
    severity: str
    source: str
    labels: str
    count: int
    last_seen_at: datetime


def list_deliveries(session: ScopedSession, limit: int = SHOWN) -> list[DeliveryView]:
    """Those that came last first."""
    rows = session.exec(
        select(AlertDelivery, AlertSource.name, AlertSource.kind)
        .join(AlertSource, col(AlertSource.id) == col(AlertDelivery.source_id))
        .order_by(col(AlertDelivery.received_at).desc(), col(AlertDelivery.id))
        .limit(limit)
    )
    return [
        DeliveryView(
            id=str(row.id),
            source=name,
            kind=kind,
            result=row.result,
            reason=row.reason,
            payload=_shortened(row.payload),
            incident_id=str(row.incident_id or ""),
            address=row.address,
            received_at=row.received_at,
        )
        for row, name, kind in rows
    ]


def list_unmapped(session: ScopedSession, limit: int = SHOWN) -> list[UnmappedView]:
    """What fires and belongs to no service, told last first."""
    rows = session.exec(
        select(AlertState, AlertSource.name)
        .join(AlertSource, col(AlertSource.id) == col(AlertState.source_id))
        .where(AlertState.status == AlertStatus.FIRING.value, col(AlertState.service_id).is_(None))
        .order_by(col(AlertState.last_seen_at).desc())
        .limit(limit)
    )
    return [
        UnmappedView(str(row.id), row.title, row.severity, name, written(json.loads(row.labels)), row.count, row.last_seen_at)
        for row, name in rows
    ]


def replay(session: ScopedSession, keys: KeyRing, actor: Actor, delivery_id: UUID) -> Result:
    """Act once more on a message that is kept, as if it came now."""
    actor.require(Role.ADMIN)
    take_turns(session)
    row = session.exec(select(AlertDelivery).where(AlertDelivery.id == delivery_id).with_for_update()).first()
    if row is None:
        raise NotFound(NO_DELIVERY)
    if row.result == Result.TEST:
        raise Conflict("This was a test, which changes nothing however often it is done. Send another one.")
    source = get_source(session, row.source_id)
    message = read_message(SourceKind(source.kind), row.payload.encode())
    return note(session, row, act(session, keys, source, message, now())).result


def send_test(session: ScopedSession, actor: Actor, source_id: UUID) -> str:
    """Read a message in the form of the source's vendor and say what it would do; it is logged, and changes nothing else."""
    actor.require(Role.ADMIN)
    source = get_source(session, source_id)
    message = read_message(SourceKind(source.kind), json.dumps(SAMPLES[SourceKind(source.kind)]).encode())
    alert = message.alerts[0]
    place = Taking(source, now(), directory(session), {}).place(alert.labels)
    if place.service:
        would = f"It would be of {place.service.name} in {place.environment}, for {place.why}, and open an incident"
        would += " at once." if NEEDED[alert.severity] == 1 else f" the {NEEDED[alert.severity]}. time it is told."
    else:
        would = (
            "It would open an incident of no service."
            if source.opens_unmapped
            else f"It would be kept as unmapped: {place.why}."
        )
    row = AlertDelivery(id=uuid4(), source_id=source.id, payload=message.payload, result="", address="this page")
    return note(session, row, Outcome(Result.TEST, f"Test by {actor.name}: read well. {would}")).reason


def forget_old_alerts(session: ScopedSession) -> int:
    """Drop messages, and what ended, after 30 days; answers how many messages."""
    before = now() - KEPT
    session.exec(delete(AlertState).where(col(AlertState.resolved_at) < before))
    return int(session.exec(delete(AlertDelivery).where(col(AlertDelivery.received_at) < before)).rowcount)


def _shortened(payload: str) -> str:
    whole = len(payload) <= SHOWN_CHARACTERS
    return payload if whole else f"{payload[:SHOWN_CHARACTERS]}… ({len(payload):,} characters in all)"
