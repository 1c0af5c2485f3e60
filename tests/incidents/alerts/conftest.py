"""Acme with the services shop and web, and an alert source of each kind wanted; without a server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from blametrail.accounts import sessions
from blametrail.accounts.roles import Actor
from blametrail.catalog.services import ServiceDraft, create
from blametrail.incidents.alerts import connect
from blametrail.incidents.alerts.connect import SourceDraft
from blametrail.incidents.alerts.receive import Came, Received, read_message, receive
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.tables import Incident, IncidentEntry, IncidentService
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Refused
from tests.enriching import KEYS


@dataclass
class Inbox:
    """What a test sends to, and looks at."""

    db: Database
    owner: Actor
    services: dict[str, UUID]
    tokens: dict[UUID, str] = field(default_factory=dict)

    def source(self, kind: str = "generic", name: str = "", **more: Any) -> UUID:
        fields = {"environment": "", "secret": "", "service_id": None, "opens_unmapped": False, **more}
        draft = SourceDraft.checked(name=name or f"{kind} {len(self.tokens)}", kind=kind, **fields)
        source_id, token = self.db.write_now(self.owner.organization_id, connect.add_source, KEYS, self.owner, draft)
        self.tokens[source_id] = token
        return source_id

    def send(self, source_id: UUID, payload: Any, kind: str = "generic") -> Received:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        outcome = self.post(self.tokens[source_id], body, kind)
        assert isinstance(outcome, Received), outcome
        return outcome

    def post(self, shown: str | UUID, body: bytes, kind: str = "generic") -> Received | Refused:
        came, message = Came("192.0.2.1", "r", now()), read_message(SourceKind(kind), body)
        return self.db.write_now(EVERY_ORGANIZATION, receive, KEYS, SourceKind(kind), shown, came, message)

    def rows(self, table: Any) -> list[Any]:
        return self.db.read_now(self.owner.organization_id, lambda s: list(s.exec(select(table))))

    def incidents(self) -> list[Incident]:
        """In the order in which they were opened."""
        return sorted(self.rows(Incident), key=lambda one: one.number)

    def entries(self, incident_id: UUID) -> list[str]:
        wanted = select(IncidentEntry).where(IncidentEntry.incident_id == incident_id).order_by(col(IncidentEntry.at))
        return [row.kind for row in self.db.read_now(self.owner.organization_id, lambda s: list(s.exec(wanted)))]

    def services_of(self, incident_id: UUID) -> set[UUID]:
        return {row.service_id for row in self.rows(IncidentService) if row.incident_id == incident_id}


@pytest.fixture
def inbox(db: Database, alice: UUID) -> Inbox:
    def enter(session: ScopedSession) -> Actor:
        token = sessions.start(session, KEYS, alice, "127.0.0.1", "test")
        actor = sessions.find_actor(session, KEYS, token)
        assert actor is not None
        return actor

    owner = db.write_now(EVERY_ORGANIZATION, enter)
    services = {}
    for name in ("shop", "web"):
        draft = ServiceDraft.checked(name=name, environment="production", type="web")
        services[name], _ = db.write_now(owner.organization_id, create, KEYS, draft, "Alice")
    return Inbox(db, owner, services)
