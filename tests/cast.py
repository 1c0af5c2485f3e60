"""The cast: Alice owns Acme, Bob responds and Vera watches in it; Charlie, elsewhere, must never see any of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from sqlmodel import col, select

import blametrail.changes.index  # noqa: F401  (changes are found)
from blametrail.accounts import organizations
from blametrail.accounts.passwords import hash_password
from blametrail.accounts.sessions import COOKIE
from blametrail.accounts.tables import Membership, Person
from blametrail.changes.events.tables import ChangeEvent
from blametrail.changes.tables import WebhookDelivery, WebhookSecret
from blametrail.codehosts.tables import Connection, PullRequest
from blametrail.incidents.alerts.tables import AlertDelivery, AlertRoute, AlertSource
from blametrail.incidents.monitors.tables import MaintenanceWindow, Monitor
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report, Symptom
from blametrail.incidents.states import IncidentType, Severity
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
    incident_id: str
    change_event_id: str
    monitor_id: str
    window_id: str
    alert_source_id: str
    alert_mapping_id: str
    alert_message_id: str
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
        _break(server, acme, UUID(service["id"])),
        _change(server, acme),
        *_watch(server, acme, UUID(service["id"])),
        *_alert(server, acme, UUID(service["id"])),
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


def _break(server: Server, acme: UUID, service_id: UUID) -> str:
    """Give Acme an incident; answers its id."""
    at = now()
    report = Report(
        type=IncidentType.MANUAL,
        severity=Severity.ERROR,
        title=f"{CANARY} incident",
        onset=Onset(at, at, at, CANARY),
        detected_at=at,
        who="alice",
        symptom=Symptom(error_message=CANARY),
        service_ids=(service_id,),
    )
    with opened(server) as db:
        return str(db.write_now(acme, open_incident, report))


def _change(server: Server, acme: UUID) -> str:
    """Give Acme a change event of long ago that a person told of; answers its id."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    event = ChangeEvent(kind="config", title=f"{CANARY} event", started_at=long_ago, source="", is_of_all_services=True)
    with opened(server) as db:
        db.write_now(acme, lambda s: s.add(event))
    return str(event.id)


def _watch(server: Server, acme: UUID, service_id: UUID) -> tuple[str, str]:
    """Give Acme a monitor, which is paused, and a maintenance window; answers their ids."""
    at = now()
    monitor = Monitor(service_id=service_id, environment="production", name=f"{CANARY} monitor", url="http://127.0.0.1:9/")
    window = MaintenanceWindow(starts_at=at, ends_at=at + timedelta(hours=1), note=CANARY)
    with opened(server) as db:
        db.write_now(acme, lambda s: s.add_all([monitor, window]))
    return str(monitor.id), str(window.id)


def _alert(server: Server, acme: UUID, service_id: UUID) -> tuple[str, str, str]:
    """Give Acme an alert source, a mapping, and a message that nobody could read; answers their ids."""
    source = AlertSource(kind="generic", name=f"{CANARY} source", token_hash=CANARY, token_start="alt_none", created_by="alice")
    mapping = AlertRoute(matchers=f"team={CANARY}", service_id=service_id)
    message = AlertDelivery(source_id=source.id, payload=CANARY, result="unreadable", reason=CANARY)
    with opened(server) as db:
        db.write_now(acme, lambda s: s.add(source))
        db.write_now(acme, lambda s: s.add_all([mapping, message]))
    return str(source.id), str(mapping.id), str(message.id)


def cookie_of(server: Server, email: str) -> str:
    client = server.sign_in(email)
    client.close()
    return f"{COOKIE}={client.cookies[COOKIE]}"


def opened(server: Server) -> AbstractContextManager[Database]:
    """The database of a running server."""
    return server.database()


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
