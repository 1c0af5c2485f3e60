"""Receive a message of a source: whose it is, what it says, what that does, and the log, in one transaction."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select

from blametrail.incidents.alerts.connect import find_by_token
from blametrail.incidents.alerts.mappings import directory
from blametrail.incidents.alerts.reading import decode
from blametrail.incidents.alerts.shapes import Alert, SourceKind, UnreadableAlert
from blametrail.incidents.alerts.sns import plan_confirmation
from blametrail.incidents.alerts.sources import read_alerts
from blametrail.incidents.alerts.tables import AlertDelivery, AlertSource, AlertState
from blametrail.incidents.alerts.take import Outcome, Result, Taking, take_alerts
from blametrail.incidents.open import take_turns
from blametrail.incidents.reports import Symptom
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotSignedIn, Refused
from blametrail.kit.keys import KeyRing
from blametrail.kit.redact import MASK, redact

NOTE_USE_AFTER = timedelta(minutes=1)
LONGEST_REASON = 500
UNKNOWN = "The alert token is not known here. Check that the whole token was copied, or rotate it on the page Alerts."
FAULT_OF_OURS = "It could not be acted on: a fault of ours, which is in the log. Replay it once that is mended."


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is kept: secrets masked, its alerts read, or in `unreadable` why they could not be. `subscription` is the
    message itself when it is about a subscription of SNS."""

    payload: str
    alerts: tuple[Alert, ...] = ()
    unreadable: str = ""
    subscription: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Came:
    """From where and when a message came."""

    address: str
    request_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message."""

    delivery_id: UUID
    result: Result
    reason: str


def read_message(kind: SourceKind, body: bytes) -> Message:
    """Read a message and mask its secrets; takes a while for a large one, and raises nothing."""
    payload = redact(body.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}"))
    try:
        alerts = tuple(_masked(alert) for alert in read_alerts(kind, body))
    except UnreadableAlert as error:
        return Message(payload, unreadable=error.why)
    about = decode(body) if kind is SourceKind.CLOUDWATCH and not alerts else None
    return Message(payload, alerts, subscription=about if isinstance(about, dict) else None)


def receive(
    session: ScopedSession, keys: KeyRing, kind: SourceKind, shown: str | UUID, came: Came, message: Message
) -> Received | Refused:
    """Judge a message and do what it asks; `shown` is a token, or the id of the source whose secret signed it. A refusal is
    answered, not raised."""
    source = find_by_token(session, keys, shown) if isinstance(shown, str) else _signer(session, shown)
    if source is None:
        return NotSignedIn(UNKNOWN)
    if source.kind != kind:
        return NotSignedIn(f"This is the token of a source of {source.kind}. Send what it tells to /api/alerts/{source.kind}.")
    session.narrow(source.organization_id)
    take_turns(session)
    _note_use(session, source, came)
    delivery = AlertDelivery(
        id=uuid4(),
        source_id=source.id,
        received_at=came.received_at,
        payload=message.payload,
        result="",
        address=came.address,
        request_id=came.request_id,
    )
    outcome = act(session, keys, source, message, came.received_at)
    return note(session, delivery, outcome)


def act(session: ScopedSession, keys: KeyRing, source: AlertSource, message: Message, at: datetime) -> Outcome:
    """Do what a message asks for; answers what became of it as a whole."""
    if message.unreadable:
        return Outcome(Result.UNREADABLE, message.unreadable)
    if words := plan_confirmation(session, keys, source, message.subscription):
        return Outcome(Result.NOTED, words)
    if not message.alerts:
        return Outcome(Result.NOTED, "It tells of nothing that begins or ends.")
    taking = Taking(source, at, directory(session), _known(session, source.id, [alert.fingerprint for alert in message.alerts]))
    return _together(take_alerts(session, taking, message.alerts))


def note(session: ScopedSession, delivery: AlertDelivery, outcome: Outcome) -> Received:
    """Keep a message with what became of it."""
    delivery.result, delivery.reason = outcome.result.value, redact(outcome.why)[:LONGEST_REASON]
    delivery.incident_id = outcome.incident_id
    session.add(delivery)
    session.flush()
    session.announce("alerts")
    return Received(delivery.id, outcome.result, delivery.reason)


def _signer(session: ScopedSession, source_id: UUID) -> AlertSource | None:
    return session.exec(select(AlertSource).where(AlertSource.id == source_id)).first()


def _known(session: ScopedSession, source_id: UUID, fingerprints: list[str]) -> dict[str, AlertState]:
    rows = select(AlertState).where(AlertState.source_id == source_id, col(AlertState.fingerprint).in_(fingerprints))
    return {row.fingerprint: row for row in session.exec(rows)}


def _together(outcomes: Iterable[tuple[Alert, Outcome]]) -> Outcome:
    """One outcome for a message: the weightiest of its alerts, with a sentence for each kind of outcome."""
    first: dict[Result, tuple[Alert, Outcome]] = {}
    times: Counter[Result] = Counter()
    for alert, outcome in outcomes:
        first.setdefault(outcome.result, (alert, outcome))
        times[outcome.result] += 1
    said = []
    for result in (result for result in Result if result in first):
        alert, outcome = first[result]
        others = f" and {times[result] - 1} more" if times[result] > 1 else ""
        said.append(f"{result.capitalize()}: {alert.title[:120]}{others}; {outcome.why}.")
    weightiest = next(result for result in Result if result in first)
    incident_id = next((outcome.incident_id for _, outcome in first.values() if outcome.incident_id), None)
    return Outcome(weightiest, " ".join(said), first[weightiest][1].incident_id or incident_id)


def _note_use(session: ScopedSession, source: AlertSource, came: Came) -> None:
    lately = source.used_at is not None and came.received_at - source.used_at < NOTE_USE_AFTER
    if not lately or source.used_from != came.address:
        source.used_at, source.used_from = came.received_at, came.address
        session.add(source)


def _masked(alert: Alert) -> Alert:
    """Without what looks like a secret: all of it is shown to people."""
    symptom = Symptom(
        redact(alert.symptom.error_message),
        redact(alert.symptom.stack_trace),
        redact(alert.symptom.log_excerpt),
        redact(alert.symptom.endpoint),
    )
    labels = {name: MASK if redact(pair := f"{name}={value}") != pair else value for name, value in alert.labels.items()}
    return dataclasses.replace(
        alert,
        title=redact(alert.title),
        description=redact(alert.description),
        url=redact(alert.url),
        labels=labels,
        symptom=symptom,
    )
