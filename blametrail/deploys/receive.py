"""Receive what comes with a deploy token: token, content, what it asks and log, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Protocol
from uuid import UUID

from blametrail.catalog.deploy_tokens import TokenHolder, find
from blametrail.catalog.tables import DeployToken
from blametrail.deploys.delivery_log import Request, log_delivery
from blametrail.deploys.record import Recorded, record_deploy
from blametrail.deploys.report import DeployReport
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotSignedIn, Refused
from blametrail.kit.keys import KeyRing

NOTE_USE_AFTER = timedelta(minutes=1)
MISSING = "The X-Deploy-Token header is missing. Send the service's deploy token in it."
UNKNOWN = "The deploy token is not known here. Check that the whole token was copied, or rotate it on the service's page."


class Done(Protocol):
    """What came of a post: the delivery log tells its status, and leads to the deploy where there is one."""

    @property
    def status(self) -> str: ...
    @property
    def deploy_id(self) -> UUID | None: ...


Act = Callable[[ScopedSession, TokenHolder], Done | Refused]
"""What a post asks for."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a test post learns: nothing was stored."""

    service: str
    environment: str
    status: ClassVar[str] = "checked, nothing stored"
    deploy_id: ClassVar[UUID | None] = None


def deploy_act(request: Request, report: DeployReport, key: str | None) -> Act:
    """What a post about a deploy asks for."""

    def act(session: ScopedSession, holder: TokenHolder) -> Recorded | Checked:
        if request.route == "test":
            return Checked(holder.service, report.environment.strip() or holder.environment)
        return record_deploy(session, holder, report, key, request.received_at)

    return act


def receive(session: ScopedSession, keys: KeyRing, presented: str, request: Request, act: Act | Invalid) -> Done | Refused:
    """Judge a post by its token and do what it asks. A refusal is answered, not raised, so that its log entry is kept."""
    if not presented:
        return NotSignedIn(MISSING)
    holder = find(session, keys, presented)
    if holder is None:
        return NotSignedIn(UNKNOWN)
    session.narrow(holder.organization_id)
    outcome = _judge(session, holder, act)
    if isinstance(outcome, Refused):
        log_delivery(session, holder, request, outcome.status, outcome.message)
    else:
        log_delivery(session, holder, request, 200, outcome.status, outcome.deploy_id)
        _note_use(session, holder, request)
    session.announce(f"deliveries:{holder.service_id}")
    return outcome


def log_refusal(session: ScopedSession, keys: KeyRing, presented: str, request: Request, status: int, reason: str) -> None:
    """Keep a post in the log that was refused before its token was looked at."""
    if holder := find(session, keys, presented):
        session.narrow(holder.organization_id)
        log_delivery(session, holder, request, status, reason)
        session.announce(f"deliveries:{holder.service_id}")


def _judge(session: ScopedSession, holder: TokenHolder, act: Act | Invalid) -> Done | Refused:
    if holder.rotated_at is not None:
        day = f"{holder.rotated_at:%Y-%m-%d %H:%M} UTC"
        return NotSignedIn(f"This deploy token of {holder.service} was rotated on {day}. Use the token that replaced it.")
    return act if isinstance(act, Invalid) else act(session, holder)


def _note_use(session: ScopedSession, holder: TokenHolder, request: Request) -> None:
    lately = holder.used_at is not None and request.received_at - holder.used_at < NOTE_USE_AFTER
    if lately and holder.used_from == request.address:
        return
    token = session.get_one(DeployToken, holder.token_id)
    token.used_at, token.used_from = request.received_at, request.address
    session.add(token)
