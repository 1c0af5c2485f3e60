"""API tokens: made by an admin, shown once, listed, revoked, checked. They read one organization as a viewer does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.organizations import require_now
from blametrail.accounts.roles import Actor, Role
from blametrail.accounts.tables import ApiToken
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound, NotSignedIn
from blametrail.kit.keys import KeyRing
from blametrail.kit.tokens import new_token, recognisable, same_digest

PREFIX = "bt_"
LONGEST_NAME = 100
MOST_DAYS = 3_650
MOST_LISTED = 200
NOTE_USE_AFTER = timedelta(minutes=1)
UNKNOWN = "The API token is not known here. Check that the whole token was copied; admins make new ones in the settings."


class TokenState(StrEnum):
    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiTokenView:
    """What may be shown of an API token: everything but the token."""

    id: str
    name: str
    start: str
    state: TokenState
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    used_from: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever shows an API token that is in force."""

    token_id: UUID
    organization_id: UUID
    used_at: datetime | None
    used_from: str
    under_current_key: bool

    def is_noted(self, address: str) -> bool:
        """Whether this use adds nothing to what is known of the last one."""
        lately = self.used_at is not None and now() - self.used_at < NOTE_USE_AFTER
        return lately and self.used_from == address and self.under_current_key


def make(session: ScopedSession, keys: KeyRing, actor: Actor, name: str, days: str) -> str:
    """A new token, for as many days, or until it is revoked when `days` is empty; answers it, for this one time.
    Raises Invalid and NotAllowed."""
    require_now(session, actor, Role.ADMIN)
    wrong: dict[str, str] = {}
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        wrong["name"] = f"must have 1 to {LONGEST_NAME} characters"
    lifetime = _lifetime(days.strip(), wrong)
    if wrong:
        raise Invalid(wrong)
    token = new_token(PREFIX)
    session.add(
        ApiToken(
            name=name,
            token_hash=keys.digest(token),
            start=recognisable(token),
            created_by=actor.name,
            expires_at=now() + lifetime if lifetime else None,
        )
    )
    session.announce("api-tokens")
    return token


def revoke(session: ScopedSession, actor: Actor, token_id: UUID) -> None:
    """The token is refused from the commit of this on; raises NotFound and NotAllowed."""
    require_now(session, actor, Role.ADMIN)
    row = session.exec(select(ApiToken).where(ApiToken.id == token_id)).first()
    if row is None:
        raise NotFound("There is no such API token in this organization.")
    row.revoked_at = row.revoked_at or now()
    session.add(row)
    session.announce("api-tokens")


def list_tokens(session: ScopedSession) -> list[ApiTokenView]:
    """The newest tokens of the organization, those that ended too."""
    rows = session.exec(select(ApiToken).order_by(col(ApiToken.created_at).desc()).limit(MOST_LISTED))
    return [
        ApiTokenView(
            id=str(row.id),
            name=row.name,
            start=row.start,
            state=_state(row),
            created_by=row.created_by,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            used_at=row.used_at,
            used_from=row.used_from,
        )
        for row in rows
    ]


def check(session: ScopedSession, keys: KeyRing, presented: str) -> Reader:
    """Whom a token stands for; raises NotSignedIn, saying what became of a token that ended."""
    known = keys.digests(presented)
    rows = session.exec(select(ApiToken).where(col(ApiToken.token_hash).in_(known)))
    row = next((r for r in rows if any(same_digest(r.token_hash, one) for one in known)), None)
    if row is None:
        raise NotSignedIn(UNKNOWN)
    if row.revoked_at is not None:
        raise NotSignedIn(f"This API token was revoked on {row.revoked_at:%Y-%m-%d %H:%M} UTC. Use another one.")
    if row.expires_at is not None and _state(row) is TokenState.EXPIRED:
        raise NotSignedIn(f"This API token expired on {row.expires_at:%Y-%m-%d %H:%M} UTC. Use another one.")
    return Reader(row.id, row.organization_id, row.used_at, row.used_from, same_digest(row.token_hash, known[0]))


def note_use(session: ScopedSession, keys: KeyRing, token_id: UUID, presented: str, address: str) -> None:
    """Keep when and from where a token was used; from here on the current key knows it."""
    row = session.exec(select(ApiToken).where(ApiToken.id == token_id)).first()
    if row is not None:
        row.used_at, row.used_from, row.token_hash = now(), address, keys.digest(presented)
        session.add(row)
        session.announce("api-tokens")


def _state(row: ApiToken) -> TokenState:
    if row.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.EXPIRED if row.expires_at is not None and row.expires_at <= now() else TokenState.VALID


def _lifetime(days: str, wrong: dict[str, str]) -> timedelta | None:
    if not days:
        return None
    if len(days) > 4 or not days.isdecimal() or not 1 <= int(days) <= MOST_DAYS:
        wrong["days"] = f"must be a number from 1 to {MOST_DAYS:,}, or empty for a token that does not expire"
        return None
    return timedelta(days=int(days))
