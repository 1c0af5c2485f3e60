"""Alert sources: made with their token, shown once, rotated, dropped; and found again by token or signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.services import NO_SERVICE, names
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.tables import AlertSource
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.tokens import new_token, recognisable, same_digest
from blametrail.kit.vault import VaultError, place_of, seal, unseal

log = structlog.get_logger(__name__)
PREFIX = "alt_"
MOST_SOURCES = 100
LONGEST_SECRET = 500
MOST_TRIED, MOST_HASHED = 500, 250_000_000
"""Secrets that one message is tried against, and bytes hashed to do so: a large one is tried against fewer."""

SIGNING = frozenset({SourceKind.GRAFANA, SourceKind.SENTRY, SourceKind.PAGERDUTY, SourceKind.CLOUDWATCH})
"""Those that sign what they send; for CloudWatch, SNS signs, and what is kept is the topic that it must come from."""

NO_SOURCE = "There is no such alert source in this organization. Somebody may have dropped it."


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """What an admin says of a source, checked: make it with `checked`."""

    name: str
    kind: SourceKind
    environment: str = ""
    secret: str = ""
    service_id: UUID | None = None
    opens_unmapped: bool = False

    @classmethod
    def checked(
        cls, *, name: str, kind: str, environment: str, secret: str, service_id: UUID | None, opens_unmapped: bool
    ) -> SourceDraft:
        """Raises Invalid naming each wrong field."""
        wrong, name, environment = {}, " ".join(name.split()), environment.strip()
        if not 1 <= len(name) <= 60:
            wrong["name"] = "must have 1 to 60 characters"
        if kind not in list(SourceKind):
            wrong["kind"] = f"must be one of {', '.join(SourceKind)}"
        elif why := _wrong_secret(SourceKind(kind), secret.strip()):
            wrong["secret"] = why
        if len(environment) > 60:
            wrong["environment"] = "must have at most 60 characters"
        if wrong:
            raise Invalid(wrong)
        return cls(name, SourceKind(kind), environment, secret.strip(), service_id, opens_unmapped)


@dataclass(frozen=True, slots=True)
class SourceView:
    """What may be shown of a source: everything but its token and secret."""

    id: str
    name: str
    kind: str
    token_start: str
    has_secret: bool
    service: str
    environment: str
    opens_unmapped: bool
    created_by: str
    created_at: datetime
    used_at: datetime | None
    used_from: str


def add_source(session: ScopedSession, keys: KeyRing, actor: Actor, draft: SourceDraft) -> tuple[UUID, str]:
    """A new source; answers its id and its token, for this one time."""
    actor.require(Role.ADMIN)
    known = names(session)
    if draft.service_id and draft.service_id not in known:
        raise NotFound(NO_SERVICE)
    taken = [name.lower() for name in session.exec(select(AlertSource.name))]
    if draft.name.lower() in taken:
        raise Invalid({"name": "is the name of another source already"})
    if len(taken) >= MOST_SOURCES:
        raise Conflict(f"There are {MOST_SOURCES} alert sources already. Drop one first.")
    token = new_token(PREFIX)
    row = AlertSource(
        id=uuid4(),
        organization_id=actor.organization_id,
        name=draft.name,
        kind=draft.kind.value,
        token_hash=keys.digest(token),
        token_start=recognisable(token),
        service_id=draft.service_id,
        environment=draft.environment,
        opens_unmapped=draft.opens_unmapped,
        created_by=actor.name,
    )
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), draft.secret) if draft.secret else ""
    session.add(row)
    session.announce("alerts")
    return row.id, token


def rotate_token(session: ScopedSession, keys: KeyRing, actor: Actor, source_id: UUID) -> str:
    """Replace the token: the old one is refused from the commit of this on. Answers the new one."""
    actor.require(Role.ADMIN)
    row = get_source(session, source_id)
    token = new_token(PREFIX)
    row.token_hash, row.token_start = keys.digest(token), recognisable(token)
    session.add(row)
    session.announce("alerts")
    return token


def set_secret(session: ScopedSession, keys: KeyRing, actor: Actor, source_id: UUID, secret: str) -> None:
    """What the vendor signs with from now on; empty when only the token counts."""
    actor.require(Role.ADMIN)
    row, secret = get_source(session, source_id), secret.strip()
    if why := _wrong_secret(SourceKind(row.kind), secret):
        raise Invalid({"secret": why})
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), secret) if secret else ""
    session.add(row)
    session.announce("alerts")


def drop_source(session: ScopedSession, actor: Actor, source_id: UUID) -> None:
    """Refuse what it sends from now on, and forget what it sent; incidents stay."""
    actor.require(Role.ADMIN)
    session.delete(get_source(session, source_id))
    session.announce("alerts")


def list_sources(session: ScopedSession) -> list[SourceView]:
    """By name."""
    services = names(session)
    rows = sorted(session.exec(select(AlertSource)), key=lambda row: row.name.lower())
    return [
        SourceView(
            id=str(row.id),
            name=row.name,
            kind=row.kind,
            token_start=row.token_start,
            has_secret=bool(row.secret_sealed),
            service=services.get(row.service_id, "") if row.service_id else "",
            environment=row.environment,
            opens_unmapped=row.opens_unmapped,
            created_by=row.created_by,
            created_at=row.created_at,
            used_at=row.used_at,
            used_from=row.used_from,
        )
        for row in rows
    ]


def get_source(session: ScopedSession, source_id: UUID) -> AlertSource:
    """The row; raises NotFound."""
    row = session.exec(select(AlertSource).where(AlertSource.id == source_id)).first()
    if row is None:
        raise NotFound(NO_SOURCE)
    return row


def find_by_token(session: ScopedSession, keys: KeyRing, presented: str) -> AlertSource | None:
    """Whose token it is; None when it is unknown. One hashed with an older key is hashed again with the current one."""
    current, *older = keys.digests(presented)
    for hashed in (current, *older):
        row = session.exec(select(AlertSource).where(AlertSource.token_hash == hashed)).first()
        if row is not None and same_digest(row.token_hash, hashed):
            row.token_hash = current
            return row
    return None


def find_by_secret(
    session: ScopedSession, keys: KeyRing, kind: SourceKind, size: int, fits: Callable[[str], bool]
) -> UUID | None:
    """The source of this kind whose secret fits a message of `size` bytes, those used last tried first; None when none does.
    One that cannot be opened fits nothing."""
    most = min(MOST_TRIED, max(1, MOST_HASHED // max(1, size)))
    sealed = select(AlertSource).where(AlertSource.kind == kind.value, col(AlertSource.secret_sealed) != "")
    for row in session.exec(sealed.order_by(col(AlertSource.used_at).desc().nulls_last()).limit(most)):
        try:
            is_fitting = fits(unseal(keys, place_of(row, "secret_sealed"), row.secret_sealed))
        except VaultError as error:
            log.error("the secret of an alert source cannot be opened", reason=str(error), source_id=str(row.id))
            continue
        if is_fitting:
            return row.id
    return None


def _wrong_secret(kind: SourceKind, secret: str) -> str:
    if not secret:
        return ""
    if kind not in SIGNING:
        return f"is of no use: {kind} signs nothing, its token says who sends"
    if kind is SourceKind.CLOUDWATCH and not secret.startswith("arn:"):
        return "must be the topic's ARN, such as arn:aws:sns:eu-west-1:123456789012:alarms"
    if not 8 <= len(secret) <= LONGEST_SECRET:
        return f"must have 8 to {LONGEST_SECRET} characters"
    return ""
