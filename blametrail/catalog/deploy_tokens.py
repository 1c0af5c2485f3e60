"""Deploy tokens: made with their service, shown once, rotated, checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, update
from sqlalchemy import select as sql_select
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.tables import DeployToken, Service, ServiceRepository
from blametrail.kit.clock import now
from blametrail.kit.db import Prepared, ScopedSession
from blametrail.kit.errors import NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.tokens import new_token, recognisable, same_digest

PREFIX = "dpl_"

_BY_DIGEST = Prepared(
    sql_select(
        col(DeployToken.id),
        col(DeployToken.token_hash),
        col(Service.organization_id),
        col(DeployToken.service_id),
        col(Service.name),
        col(Service.environment),
        col(DeployToken.rotated_at),
        col(DeployToken.used_at),
        col(DeployToken.used_from),
        sql_select(col(ServiceRepository.id)).where(col(ServiceRepository.service_id) == col(Service.id)).exists(),
    )
    .join(Service, col(Service.id) == col(DeployToken.service_id))
    .where(col(DeployToken.token_hash) == bindparam("digest"))
    .with_for_update(of=Service, key_share=True),
    finds_organization=True,
)


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """What a presented deploy token stands for."""

    token_id: UUID
    organization_id: UUID
    service_id: UUID
    service: str
    environment: str
    rotated_at: datetime | None
    used_at: datetime | None
    used_from: str
    has_repository: bool


@dataclass(frozen=True, slots=True)
class TokenView:
    start: str
    created_at: datetime
    created_by: str
    used_at: datetime | None
    used_from: str


def issue(session: ScopedSession, keys: KeyRing, service_id: UUID, created_by: str) -> str:
    """A new token for a service; answers it, for this one time."""
    token = new_token(PREFIX)
    session.add(
        DeployToken(service_id=service_id, token_hash=keys.digest(token), start=recognisable(token), created_by=created_by)
    )
    return token


def rotate(session: ScopedSession, keys: KeyRing, actor: Actor, service_id: UUID) -> str:
    """Replace the token: the old one is refused from the commit of this on. Answers the new one."""
    actor.require(Role.ADMIN)
    if session.exec(select(Service.id).where(Service.id == service_id)).first() is None:
        raise NotFound("There is no such service in this organization.")
    for row in session.exec(
        select(DeployToken).where(DeployToken.service_id == service_id, col(DeployToken.rotated_at).is_(None))
    ):
        row.rotated_at = now()
        session.add(row)
    token = issue(session, keys, service_id, actor.name)
    session.announce(f"service:{service_id}")
    return token


def find(session: ScopedSession, keys: KeyRing, presented: str) -> TokenHolder | None:
    """Who a token belongs to, rotated ones included (see `rotated_at`); None when it is unknown. Until
    the transaction ends, others who show a token of that service wait here: deploys of one service are
    stored one after the other. (SQLite has one writer anyway.) A token hashed with an older key is hashed
    again with the current one."""
    current_digest, *older = keys.digests(presented)
    for digest in (current_digest, *older):
        for token_id, stored, *rest in session.run(_BY_DIGEST, digest=digest):
            if same_digest(stored, digest):
                if digest != current_digest:
                    session.exec(update(DeployToken).where(col(DeployToken.id) == token_id).values(token_hash=current_digest))
                return TokenHolder(token_id, *rest)
    return None


def current(session: ScopedSession, service_id: UUID) -> TokenView | None:
    """What may be shown of a service's token in force."""
    row = session.exec(
        select(DeployToken).where(DeployToken.service_id == service_id, col(DeployToken.rotated_at).is_(None))
    ).first()
    return TokenView(row.start, row.created_at, row.created_by, row.used_at, row.used_from) if row else None
