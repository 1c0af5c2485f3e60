"""Connections to code hosts: their secret is sealed when it comes in and opened only to ask the host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.repositories import GITHUB, RepositoryLink
from blametrail.catalog.tables import Service
from blametrail.codehosts.tables import Connection
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Invalid, NotFound
from blametrail.kit.keys import KeyRing
from blametrail.kit.vault import place_of, seal, unseal

WARN_BEFORE = timedelta(days=14)
LONGEST_SECRET = 16_384
NO_CONNECTION = "There is no such connection in this organization. It may have been deleted."


class Kind(StrEnum):
    GITHUB = "github"
    GITLAB = "gitlab"


class Level(StrEnum):
    """What we allow ourselves, whatever the secret would allow."""

    READ = "read"
    WRITE = "write"


class Credential(StrEnum):
    TOKEN = "token"  # noqa: S105  (the word, not one)
    APP = "app"


@dataclass(frozen=True, slots=True)
class ConnectionDraft:
    """What an admin says of a connection, checked: make it with `checked`."""

    kind: Kind
    host_url: str
    level: Level
    credential: Credential
    secret: str
    app_id: str = ""
    installation_id: str = ""
    service_id: UUID | None = None

    def __repr__(self) -> str:
        return f"ConnectionDraft({self.kind}, {self.host_url})"

    @classmethod
    def checked(
        cls,
        *,
        kind: str,
        host_url: str,
        level: str,
        credential: str,
        secret: str,
        app_id: str = "",
        installation_id: str = "",
        service_id: UUID | None = None,
    ) -> Self:
        """Parse a form; raises Invalid naming each wrong field. An empty host means the public one."""
        wrong: dict[str, str] = {}
        if kind not in list(Kind):
            wrong["kind"] = "must be github or gitlab"
        if level not in list(Level):
            wrong["level"] = "must be read or write"
        if credential not in list(Credential) or (credential == Credential.APP and kind != Kind.GITHUB):
            wrong["credential"] = "must be token, or app on GitHub"
        host_url = _host(host_url, kind, wrong)
        secret = _secret(secret, credential, wrong)
        for name, value in (("app_id", app_id), ("installation_id", installation_id)):
            if credential == Credential.APP and not value.strip().isdecimal():
                wrong[name] = "must be the number that GitHub shows"
        if wrong:
            raise Invalid(wrong)
        return cls(
            Kind(kind),
            host_url,
            Level(level),
            Credential(credential),
            secret,
            app_id.strip() if credential == Credential.APP else "",
            installation_id.strip() if credential == Credential.APP else "",
            service_id,
        )


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
    granted: str
    fault: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Access:
    """A connection with its secret open, for the one who asks the host; never shown, never kept."""

    connection_id: UUID
    kind: Kind
    host_url: str
    level: Level
    credential: Credential
    secret: str
    app_id: str
    installation_id: str

    def __repr__(self) -> str:
        return f"Access({self.connection_id}, {self.kind}, {self.host_url})"


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
    session.announce("connections")
    return row.id


def replace_secret(session: ScopedSession, keys: KeyRing, actor: Actor, connection_id: UUID, secret: str) -> None:
    """The old secret is gone at once; what was found out about it too."""
    actor.require(Role.ADMIN)
    row = _get(session, connection_id)
    wrong: dict[str, str] = {}
    secret = _secret(secret, row.credential, wrong)
    if wrong:
        raise Invalid(wrong)
    row.secret_sealed = seal(keys, place_of(row, "secret_sealed"), secret)
    row.set_by, row.set_at = actor.name, now()
    row.used_at = row.checked_at = row.expires_at = None
    row.granted = row.fault = row.remedy = ""
    session.add(row)
    session.announce("connections")


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


def list_connections(session: ScopedSession) -> list[ConnectionView]:
    """All of the organization, its own before those of services."""
    rows = session.exec(select(Connection).order_by(col(Connection.service_id).is_not(None), col(Connection.host_url)))
    return [_view(row) for row in rows]


def access_for(session: ScopedSession, keys: KeyRing, link: RepositoryLink, service_id: UUID | None = None) -> Access | None:
    """How to ask about a repository: the service's own connection to its host, else the organization's."""
    row = (_of(session, link.host_url, service_id) if service_id else None) or _of(session, link.host_url, None)
    return _access(keys, row) if row else None


def access_to(session: ScopedSession, keys: KeyRing, connection_id: UUID) -> Access:
    """The connection of that id, opened; raises NotFound, or VaultError when its key is not here."""
    return _access(keys, _get(session, connection_id))


def _access(keys: KeyRing, row: Connection) -> Access:
    return Access(
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
        granted=row.granted,
        fault=row.fault,
        remedy=row.remedy,
    )


def _host(url: str, kind: str, wrong: dict[str, str]) -> str:
    """`https://host[:port]` as repository links name it."""
    url = url.strip().rstrip("/") or (GITHUB if kind == Kind.GITHUB else "https://gitlab.com")
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        wrong["host_url"] = "must be the address of the host, such as https://github.example.com"
        return ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _secret(secret: str, credential: str, wrong: dict[str, str]) -> str:
    """A token of one line, or a private key in PEM form."""
    secret = secret.strip()
    if not secret or len(secret) > LONGEST_SECRET:
        wrong["secret"] = f"must have 1 to {LONGEST_SECRET:,} characters"
    elif credential == Credential.APP and not _is_private_key(secret):
        wrong |= {"secret": "must be the app's private key, a PEM file that starts with -----BEGIN"}
    elif credential == Credential.TOKEN and (not secret.isascii() or not secret.isprintable() or " " in secret):
        wrong |= {"secret": "must be one token, without spaces or line breaks"}
    return secret


def _is_private_key(text: str) -> bool:
    try:
        return isinstance(load_pem_private_key(text.encode(), None), RSAPrivateKey)
    except (ValueError, TypeError):
        return False
