"""Secrets of webhooks: made here, shown once, sealed; a new one beside the old, so that none is refused meanwhile."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.changes.tables import WebhookSecret
from blametrail.codehosts.access import Kind
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.vault import VaultError, place_of, seal, unseal

log = structlog.get_logger(__name__)
MOST_OF_A_KIND = 2
MOST_TRIED, MOST_HASHED = 500, 250_000_000
"""Secrets that one webhook is tried against, and bytes hashed to do so: a large body is tried against fewer."""

NOTE_USE_AFTER = timedelta(minutes=1)
NO_SECRET = "There is no such secret in this organization. Somebody may have dropped it."  # noqa: S105  (not one)


@dataclass(frozen=True, slots=True)
class SecretView:
    """What may be shown of a secret: everything but it."""

    id: str
    kind: str
    created_by: str
    created_at: datetime
    used_at: datetime | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose secret signed a webhook."""

    organization_id: UUID
    secret_id: UUID


def make(session: ScopedSession, keys: KeyRing, actor: Actor, kind: str) -> str:
    """A new secret, for this one time. The one before it counts until it is dropped. GitLab wants 32 bytes in this form,
    and GitHub takes any text."""
    actor.require(Role.ADMIN)
    if kind not in list(Kind):
        raise Invalid({"kind": "must be github or gitlab"})
    if len(session.exec(select(WebhookSecret.id).where(WebhookSecret.kind == kind)).all()) >= MOST_OF_A_KIND:
        raise Conflict("There are two secrets already. Drop the old one first: whatever is signed with it is then refused.")
    made = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    row = WebhookSecret(id=uuid4(), kind=kind, secret_sealed="", created_by=actor.name, organization_id=actor.organization_id)
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), made)
    session.add(row)
    session.flush()
    session.announce("webhooks")
    return made


def drop(session: ScopedSession, actor: Actor, secret_id: UUID) -> None:
    """Refuse what is signed with it from now on."""
    actor.require(Role.ADMIN)
    row = session.exec(select(WebhookSecret).where(WebhookSecret.id == secret_id)).first()
    if row is None:
        raise NotFound(NO_SECRET)
    session.delete(row)
    session.announce("webhooks")


def list_secrets(session: ScopedSession) -> list[SecretView]:
    """All of the organization, the newest of each kind first."""
    rows = session.exec(select(WebhookSecret).order_by(col(WebhookSecret.kind), col(WebhookSecret.created_at).desc()))
    views: list[SecretView] = []
    for row in rows:
        is_current = not any(view.kind == row.kind for view in views)
        views.append(SecretView(str(row.id), row.kind, row.created_by, row.created_at, row.used_at, is_current))
    return views


def find_signer(session: ScopedSession, keys: KeyRing, kind: Kind, size: int, signs: Callable[[str], bool]) -> Signer | None:
    """Whose secret of this kind signs a body of `size` bytes, those used last tried first; None when nobody's does. One that
    cannot be opened signs nothing."""
    most = min(MOST_TRIED, max(1, MOST_HASHED // max(1, size)))
    by_use = select(WebhookSecret).where(WebhookSecret.kind == kind).order_by(col(WebhookSecret.used_at).desc().nulls_last())
    for row in session.exec(by_use.limit(most)):
        try:
            is_signer = signs(unseal(keys, place_of(row, "secret_sealed"), row.secret_sealed))
        except VaultError as error:
            log.error("a webhook secret cannot be opened", reason=str(error), secret_id=str(row.id))
            continue
        if is_signer:
            return Signer(row.organization_id, row.id)
    return None


def note_use(session: ScopedSession, secret_id: UUID) -> None:
    row = session.exec(select(WebhookSecret).where(WebhookSecret.id == secret_id)).first()
    if row and (row.used_at is None or now() - row.used_at > NOTE_USE_AFTER):
        row.used_at = now()
        session.add(row)
