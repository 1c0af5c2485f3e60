"""Connections to code hosts: their secret is sealed when it comes in and opened only to ask the host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.repositories import RepositoryLink
from blametrail.catalog.tables import Service
from blametrail.codehosts.access import Access, Credential, Kind, Level, WriteAccess
from blametrail.codehosts.draft import ConnectionDraft, check_secret
from blametrail.codehosts.facts import TokenFact
from blametrail.codehosts.host import HostError, NotVisible, RateLimited, UnknownCommit
from blametrail.codehosts.tables import Connection
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound
from blametrail.kit.jobs import announce_job
from blametrail.kit.keys import KeyRing
from blametrail.kit.vault import place_of, seal, unseal

WARN_BEFORE = timedelta(days=14)
NOTE_USE_AFTER = timedelta(minutes=1)
CONNECTIONS_CHANGED = "connections_changed"
"""A job: whatever could not be asked before may be answered now."""

NO_CONNECTION = "There is no such connection in this organization. It may have been deleted."


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """What may be shown of a connection: everything but its secret."""

    id: str
    service_id: str
    kind: str
    host_url: str
    level: str
    credential: str
    set_by: str
    set_at: datetime
    used_at: datetime | None
    checked_at: datetime | None
    expires_at: datetime | None
    expires_soon: bool
    login: str
    granted: str
    warning: str
    fault: str
    remedy: str


def add(session: ScopedSession, keys: KeyRing, actor: Actor, draft: ConnectionDraft) -> UUID:
    """Store a connection; there is one a host for the organization, and one a host for each service."""
    actor.require(Role.ADMIN)
    if draft.service_id and session.exec(select(Service.id).where(Service.id == draft.service_id)).first() is None:
        raise NotFound("There is no such service in this organization.")
    if _of(session, draft.host_url, draft.service_id) is not None:
        raise Invalid({"host_url": "has a connection already; replace its secret instead"})
    row = Connection(
        id=uuid4(),
        service_id=draft.service_id,
        kind=draft.kind,
        host_url=draft.host_url,
        level=draft.level,
        credential=draft.credential,
        secret_sealed="",
        app_id=draft.app_id,
        installation_id=draft.installation_id,
        set_by=actor.name,
        organization_id=actor.organization_id,
    )
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), draft.secret)
    session.add(row)
    session.flush()
    _announce_change(session)
    return row.id


def has_connection(session: ScopedSession, host_url: str) -> bool:
    """Whether the organization itself is connected to a host."""
    return _of(session, host_url, None) is not None


def choose_installation(session: ScopedSession, actor: Actor, connection_id: UUID, installation_id: str) -> None:
    """Where an app that was made here has been installed."""
    actor.require(Role.ADMIN)
    row = _get(session, connection_id)
    row.installation_id = installation_id
    session.add(row)
    _announce_change(session)


def replace_secret(session: ScopedSession, keys: KeyRing, actor: Actor, connection_id: UUID, secret: str) -> None:
    """The old secret is gone at once; what was found out about it too."""
    actor.require(Role.ADMIN)
    row = _get(session, connection_id)
    wrong: dict[str, str] = {}
    secret = check_secret(secret, row.credential, wrong)
    if wrong:
        raise Invalid(wrong)
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), secret)
    row.set_by, row.set_at = actor.name, now()
    row.used_at = row.checked_at = row.expires_at = None
    row.login = row.granted = row.fault = row.remedy = ""
    row.may_write = None
    session.add(row)
    _announce_change(session)


def change_level(session: ScopedSession, actor: Actor, connection_id: UUID, level: str) -> None:
    actor.require(Role.ADMIN)
    if level not in list(Level):
        raise Invalid({"level": "must be read or write"})
    row = _get(session, connection_id)
    row.level = level
    session.add(row)
    session.announce("connections")


def remove(session: ScopedSession, actor: Actor, connection_id: UUID) -> None:
    actor.require(Role.ADMIN)
    session.delete(_get(session, connection_id))
    session.announce("connections")


def note_outcome(session: ScopedSession, connection_id: UUID, fault: HostError | None) -> None:
    """Keep when a connection was used last and what is wrong with it; when it works again, what waited for it goes on."""
    row = session.exec(select(Connection).where(Connection.id == connection_id)).first()
    if row is None or isinstance(fault, NotVisible | UnknownCommit | RateLimited):
        return  # these are not about the connection
    reason, remedy = (fault.reason, fault.remedy) if fault else ("", "")
    is_mended = bool(row.fault) and not fault
    if row.fault == reason and row.used_at and now() - row.used_at < NOTE_USE_AFTER:
        return
    row.used_at, row.fault, row.remedy = now(), reason, remedy
    session.add(row)
    session.announce("connections")
    if is_mended:
        announce_job(session, CONNECTIONS_CHANGED, "")


def note_check(session: ScopedSession, connection_id: UUID, told: TokenFact | HostError) -> None:
    """Keep what a host says of a connection's secret, or why it says nothing."""
    note_outcome(session, connection_id, told if isinstance(told, HostError) else None)
    row = _get(session, connection_id)
    row.checked_at = now()
    if isinstance(told, TokenFact):
        row.login, row.granted, row.may_write = told.login, ", ".join(told.granted), told.may_write
        row.expires_at = told.expires_at
    session.add(row)
    session.announce("connections")


def list_connections(session: ScopedSession, service_id: UUID | None = None) -> list[ConnectionView]:
    """All of the organization, its own before those of services; or only those of one service."""
    wanted = select(Connection).order_by(col(Connection.service_id).is_not(None), col(Connection.host_url))
    rows = session.exec(wanted.where(Connection.service_id == service_id) if service_id else wanted)
    return [_view(row) for row in rows]


def access_for(session: ScopedSession, keys: KeyRing, link: RepositoryLink, service_id: UUID | None = None) -> Access | None:
    """How to ask about a repository: the service's own connection to its host, else the organization's."""
    row = connection_for(session, link, service_id)
    return _access(keys, row) if row else None


def connection_for(session: ScopedSession, link: RepositoryLink, service_id: UUID | None = None) -> Connection | None:
    """The row of `access_for`, its secret closed."""
    return (_of(session, link.host_url, service_id) if service_id else None) or _of(session, link.host_url, None)


def access_to(session: ScopedSession, keys: KeyRing, connection_id: UUID) -> Access:
    """The connection of that id, opened; raises NotFound, or VaultError when its key is not here."""
    return _access(keys, _get(session, connection_id))


def _announce_change(session: ScopedSession) -> None:
    session.announce("connections")
    announce_job(session, CONNECTIONS_CHANGED, "")


def _access(keys: KeyRing, row: Connection) -> Access:
    kind_of_access = WriteAccess if row.level == Level.WRITE else Access
    return kind_of_access(
        connection_id=row.id,
        kind=Kind(row.kind),
        host_url=row.host_url,
        level=Level(row.level),
        credential=Credential(row.credential),
        secret=unseal(keys, place_of(row, "secret_sealed"), row.secret_sealed),
        app_id=row.app_id,
        installation_id=row.installation_id,
    )


def _get(session: ScopedSession, connection_id: UUID) -> Connection:
    row = session.exec(select(Connection).where(Connection.id == connection_id)).first()
    if row is None:
        raise NotFound(NO_CONNECTION)
    return row


def _of(session: ScopedSession, host_url: str, service_id: UUID | None) -> Connection | None:
    return session.exec(
        select(Connection).where(Connection.host_url == host_url, col(Connection.service_id).is_not_distinct_from(service_id))
    ).first()


def _view(row: Connection) -> ConnectionView:
    return ConnectionView(
        id=str(row.id),
        service_id=str(row.service_id or ""),
        kind=row.kind,
        host_url=row.host_url,
        level=row.level,
        credential=row.credential,
        set_by=row.set_by,
        set_at=row.set_at,
        used_at=row.used_at,
        checked_at=row.checked_at,
        expires_at=row.expires_at,
        expires_soon=row.expires_at is not None and row.expires_at - now() < WARN_BEFORE,
        login=row.login,
        granted=row.granted,
        warning=_warning(row),
        fault=row.fault,
        remedy=row.remedy,
    )


def _warning(row: Connection) -> str:
    """Where what the secret may do is not what the admin chose."""
    if row.level == Level.READ and row.may_write:
        return "It may also write, though read only was chosen. Nothing is written with it; one that cannot write is safer."
    if row.level == Level.WRITE and row.may_write is False:
        return (
            "It may only read, so no pull request can be opened with it. Replace it by one that may write, or choose read only."
        )
    return ""
