"""The cast: Alice owns Acme, Bob responds and Vera watches in it; Charlie, elsewhere, must never see any of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx
from sqlmodel import col, select

import blametrail.changes.index  # noqa: F401  (changes are found)
from blametrail.accounts import organizations
from blametrail.accounts.passwords import hash_password
from blametrail.accounts.sessions import COOKIE
from blametrail.accounts.tables import Membership, Person
from blametrail.changes.tables import WebhookDelivery, WebhookSecret
from blametrail.codehosts.tables import Connection, PullRequest
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from tests.running import PASSWORD, Server

CANARY = "canary-of-acme"


@dataclass(frozen=True)
class Cast:
    """Cookies of everybody by first name, and ids of what Acme has."""

    cookies: dict[str, str]
    members: dict[str, str]
    service_id: str
    token: str
    deploy_id: str
    connection_id: str
    change_id: str
    webhook_secret_id: str
    webhook_id: str
    organization_id: str
    other_organization_id: str


def cast(server: Server) -> Cast:
    """Let the cast enter a server where Alice has founded Acme."""
    service = server.service(f"{CANARY}-service")
    deploy = server.post(service["deploy_token"], {"commit_sha": "c0ffee123456", "commit_message": f"{CANARY} message"})
    with opened(server) as db:
        acme, other = db.write_now(EVERY_ORGANIZATION, _enter)
        members = db.read_now(EVERY_ORGANIZATION, _members, acme)
    cookies = {name: cookie_of(server, f"{name}@example.com") for name in ("alice", "bob", "vera", "charlie")}
    connection = _connect(server, cookies["alice"])
    return Cast(
        cookies | {"nobody": ""},
        members,
        service["id"],
        service["deploy_token"],
        deploy.json()["deploy_id"],
        connection,
        *_tell(server, acme),
        str(acme),
        str(other),
    )


def _connect(server: Server, cookie: str) -> str:
    """Give Acme a connection to a code host that nobody reaches; answers its id."""
    fields = {"kind": "github", "host_url": "http://127.0.0.1:9", "level": "read", "credential": "token", "secret": CANARY}
    answer = httpx.post(f"{server.url}/form/connection", json=fields, headers={"Origin": server.url, "Cookie": cookie})
    answer.raise_for_status()
    with opened(server) as db:
        return str(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Connection.id)).one()))


def _tell(server: Server, acme: UUID) -> tuple[str, str, str]:
    """Give Acme a change, a secret of webhooks, and a webhook that nobody could read; answers their ids."""
    at = now()
    change = PullRequest(
        host_url="https://github.com",
        repository="acme/shop",
        number=1,
        title=f"{CANARY} change",
        state="merged",
        url="",
        created_at=at,
        updated_at=at,
        merged_at=at,
    )
    secret = WebhookSecret(kind="gitlab", secret_sealed="", created_by="alice")
    webhook = WebhookDelivery(kind="gitlab", delivery_id="1", event=CANARY, outcome="unreadable", reason=CANARY, body=CANARY)
    with opened(server) as db:
        db.write_now(acme, lambda s: s.add_all([change, secret, webhook]))
    return str(change.id), str(secret.id), str(webhook.id)


def cookie_of(server: Server, email: str) -> str:
    client = server.sign_in(email)
    client.close()
    return f"{COOKIE}={client.cookies[COOKIE]}"


@contextmanager
def opened(server: Server) -> Iterator[Database]:
    """The database of a running server."""
    url = server.settings.get("BLAMETRAIL_DATABASE_URL", "").replace("postgresql://", "postgresql+psycopg://")
    database = Database(url or f"sqlite:///{server.data_dir / 'blametrail.db'}")
    try:
        yield database
    finally:
        database.close()


def _enter(session: ScopedSession) -> tuple[UUID, UUID]:
    alice = next(p for p in session.exec(select(Person)) if p.email == "alice@example.com")
    acme = UUID(organizations.of_person(session, alice.id)[0][0])
    for name, role in (("bob", "responder"), ("vera", "viewer")):
        person = Person(email=f"{name}@example.com", name=name, password_hash=hash_password(PASSWORD))
        session.add(person)
        session.flush()
        session.add(Membership(organization_id=acme, person_id=person.id, role=role))
    charlie = organizations.new_person(session, name="charlie", email="charlie@example.com", password=PASSWORD)
    return acme, organizations.found(session, charlie.id, "Elsewhere")


def _members(session: ScopedSession, organization_id: UUID) -> dict[str, str]:
    rows = session.exec(
        select(Membership, Person)
        .join(Person, col(Person.id) == col(Membership.person_id))
        .where(Membership.organization_id == organization_id)
    )
    return {person.email.partition("@")[0]: str(membership.id) for membership, person in rows}
