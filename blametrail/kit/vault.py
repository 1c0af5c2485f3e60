"""Secrets at rest: AES-256-GCM envelopes that open only in the row and column they were made for.

An envelope is text: `v1.<key id>.<nonce and ciphertext, base64>`. Organization, table, column and row
are authenticated with it, so that an envelope copied elsewhere opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlmodel import col, select, update

from blametrail.kit.db import ScopedSession, Tenanted
from blametrail.kit.keys import KeyRing

VERSION = "v1"
NONCE_BYTES = 12


class VaultError(Exception):
    """A secret cannot be opened: another place, a changed envelope, or a key that is not here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an envelope belongs."""

    organization_id: UUID
    table: str
    column: str
    row_id: UUID

    def __bytes__(self) -> bytes:
        return "\0".join((VERSION, self.organization_id.hex, self.table, self.column, self.row_id.hex)).encode()


def seal(ring: KeyRing, place: Place, secret: str) -> str:
    """An envelope under the current key; two of the same secret differ."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(ring.current.for_sealing).encrypt(nonce, secret.encode(), bytes(place))
    return f"{VERSION}.{ring.current.id}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(ring: KeyRing, place: Place, envelope: str) -> str:
    """The secret; raises VaultError, which never says what was inside."""
    version, _, rest = envelope.partition(".")
    key_id, _, content = rest.partition(".")
    key = ring.by_id(key_id)
    if version != VERSION or key is None:
        raise VaultError(f"sealed with the key {key_id[:16]!r}, which this server does not have")
    try:
        raw = base64.b64decode(content, validate=True)
        return AESGCM(key.for_sealing).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bytes(place)).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise VaultError("the envelope was changed, or belongs to another row") from None


def place_of(row: Tenanted, column: str) -> Place:
    """The place of a column of a row; both its ids must be set."""
    row_id: UUID = row.id  # type: ignore[attr-defined]
    return Place(row.organization_id, str(row.__tablename__), column, row_id)


def reseal_some(session: ScopedSession, ring: KeyRing, table: type[Tenanted], column: str, limit: int = 50) -> int:
    """Seal up to `limit` envelopes of a column again under the current key; answers how many were left
    to do before. A secret that was replaced meanwhile stays as it is."""
    envelope = getattr(table, column)
    stale = select(table).where(
        col(envelope) != "", ~col(envelope).startswith(f"{VERSION}.{ring.current.id}.", autoescape=True)
    )
    rows = session.exec(stale.limit(limit)).all()
    for row in rows:
        old, place = getattr(row, column), place_of(row, column)
        fresh = seal(ring, place, unseal(ring, place, old))
        session.exec(update(table).where(table.id == place.row_id, col(envelope) == old).values({column: fresh}))  # type: ignore[attr-defined]
    return len(rows)
