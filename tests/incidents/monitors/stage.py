"""Acme's service `shop` with a site that a test takes down, and monitors that check it several times a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel import col, select, update

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.tables import Service
from blametrail.incidents.monitors import edit
from blametrail.incidents.monitors.draft import MonitorDraft
from blametrail.incidents.monitors.tables import Monitor, MonitorCheck
from blametrail.incidents.tables import Incident, IncidentEntry
from blametrail.kit.clock import now
from blametrail.kit.db import Database
from blametrail.kit.keys import Key, KeyRing
from tests.kit.test_http import Heard, written

KEYS = KeyRing((Key(b"k" * 32),))
INTERVAL, BEAT = 0.1, timedelta(seconds=0.05)


@dataclass
class Shop:
    """What the site answers is up to the test."""

    db: Database
    acme: UUID
    service_id: UUID = field(default_factory=uuid4)
    status: int = 200
    delay: float = 0.0

    def __post_init__(self) -> None:
        row = Service(id=self.service_id, name="shop", environment="production", type="web")
        self.db.write_now(self.acme, lambda s: s.add(row))

    async def answer(self, _heard: Heard, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.delay)
        writer.write(written(self.status))

    def actor(self, role: Role = Role.ADMIN) -> Actor:
        return Actor(uuid4(), uuid4(), self.acme, "Acme", "UTC", "alice@example.com", "Alice", role, now())

    def draft(self, url: str, **more: str) -> MonitorDraft:
        fields = {"name": "front", "service_id": str(self.service_id), "environment": "production", "url": url}
        return MonitorDraft.checked(fields | more)

    def watch(self, url: str, **more: str) -> UUID:
        """A new monitor; its interval is shorter than people may choose."""
        made = self.db.write_now(self.acme, edit.add, KEYS, self.actor(), self.draft(url, **more))
        values: dict[str, Any] = {"interval_seconds": INTERVAL, "next_at": now()}
        self.db.write_now(self.acme, lambda s: s.exec(update(Monitor).where(col(Monitor.id) == made).values(values)))
        return made

    def monitor(self, monitor_id: UUID) -> Monitor:
        return self.db.read_now(self.acme, lambda s: s.exec(select(Monitor).where(Monitor.id == monitor_id)).one())

    def checks(self, monitor_id: UUID) -> list[MonitorCheck]:
        wanted = select(MonitorCheck).where(MonitorCheck.monitor_id == monitor_id).order_by(col(MonitorCheck.at))
        return list(self.db.read_now(self.acme, lambda s: s.exec(wanted).all()))

    def incidents(self) -> list[Incident]:
        return list(self.db.read_now(self.acme, lambda s: s.exec(select(Incident).order_by(col(Incident.number))).all()))

    def entries(self, incident_id: UUID) -> list[IncidentEntry]:
        wanted = select(IncidentEntry).where(IncidentEntry.incident_id == incident_id).order_by(col(IncidentEntry.at))
        return list(self.db.read_now(self.acme, lambda s: s.exec(wanted).all()))

    async def more_checks(self, monitor_id: UUID, count: int = 4) -> None:
        before = len(self.checks(monitor_id))
        await until(lambda: len(self.checks(monitor_id)) >= before + count)


async def until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for something that is to happen."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.02)
