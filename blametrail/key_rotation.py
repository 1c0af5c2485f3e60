"""Replace the key of an installation while it serves: add the new one before the old, seal again, drop the old."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlmodel import col, func, select

from blametrail.accounts.tables import ApiToken, Invitation, LoginSession
from blametrail.catalog.tables import DeployToken
from blametrail.changes.tables import WebhookSecret
from blametrail.codehosts.tables import Connection
from blametrail.incidents.alerts.tables import AlertSource
from blametrail.incidents.monitors.tables import Monitor
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession, Tenanted, database
from blametrail.kit.errors import Conflict
from blametrail.kit.keys import KeyRing, KnownKey, add_key_to_file, key_ring, origin_of_keys
from blametrail.kit.vault import reseal_some
from blametrail.settings import settings

SEALED: tuple[tuple[type[Tenanted], str], ...] = (
    (Connection, "secret_sealed"),
    (WebhookSecret, "secret_sealed"),
    (AlertSource, "secret_sealed"),
    (AlertSource, "confirm_sealed"),
    (Monitor, "headers_sealed"),
)
"""Every column that holds envelopes; a test finds the ones that are missing here."""

HASHED: tuple[tuple[Any, str, Any], ...] = (
    (DeployToken, "deploy tokens", lambda: col(DeployToken.rotated_at).is_(None)),
    (
        ApiToken,
        "API tokens",
        lambda: col(ApiToken.revoked_at).is_(None) & (col(ApiToken.expires_at).is_(None) | (col(ApiToken.expires_at) > now())),
    ),
    (AlertSource, "alert tokens", lambda: col(AlertSource.token_hash) != ""),
    (LoginSession, "sessions", lambda: col(LoginSession.expires_at) > now()),
    (Invitation, "invitations", lambda: (col(Invitation.expires_at) > now()) & col(Invitation.used_at).is_(None)),
)
"""What is known by a hash, in words, and which of it still counts."""


def rotate(*, make_new_key: bool) -> Iterator[str]:
    """Seal everything again under the current key, a little at a time; tells what was done in lines."""
    if make_new_key:
        if settings().secret_keys.strip():
            raise Conflict(
                "The keys are in BLAMETRAIL_SECRET_KEYS: put a new one first in that setting, restart, then run this."
            )
        add_key_to_file(settings().data_dir)
        database().write_now(EVERY_ORGANIZATION, _note, key_ring())
        yield f"The key {key_ring().current.id} is new and current; it is the first line of {origin_of_keys()}."
    ring = key_ring()
    count = 0
    for table, column in SEALED:
        while done := database().write_now(EVERY_ORGANIZATION, reseal_some, ring, table, column):
            count += done
    yield f"{count} secrets were sealed again; all are under the key {ring.current.id}."
    for key in ring.keys[1:]:
        used = database().write_now(EVERY_ORGANIZATION, _still_used, key.id)
        if used:
            yield f"The key {key.id} is still needed by {', '.join(used)}. Each changes over when it is next used, or ends by itself."
        else:
            yield f"The key {key.id} is needed no more. Remove it from {origin_of_keys()}."


def _note(session: ScopedSession, ring: KeyRing) -> None:
    if session.get(KnownKey, ring.current.id) is None:
        session.add(KnownKey(id=ring.current.id))


def _still_used(session: ScopedSession, key_id: str) -> list[str]:
    """What only this key can check, in words; where there is nothing, the key is forgotten."""
    used = []
    for table, words, counts in HASHED:
        made_with = col(table.token_hash).startswith(f"{key_id}:", autoescape=True)
        if number := session.exec(select(func.count()).select_from(table).where(made_with, counts())).one():
            used.append(f"{number} {words}")
    if not used and (known := session.get(KnownKey, key_id)):
        session.delete(known)
    return used
