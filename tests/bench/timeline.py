"""The timeline's query over 100,000 deploys."""

from __future__ import annotations

import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.catalog.services import ServiceDraft, create
from blametrail.deploys.filters import Filters
from blametrail.deploys.tables import Deploy
from blametrail.deploys.timeline import Window, timeline
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.keys import Key, KeyRing
from tests.bench.load import quantile
from tests.bench.report import Report
from tests.cast import opened
from tests.running import running

DEPLOYS, SERVICES, DAYS = 100_000, 12, 90


def bench(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
        server.found()
        with opened(server) as db:
            organization_id = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one())
            fill(db, organization_id)
            end = now()
            for days in (1, 7, 30, DAYS):
                took = []
                for step in range(30):
                    window = Window(end - timedelta(days=days, minutes=step), end - timedelta(minutes=step))
                    began = time.perf_counter()
                    db.read_now(organization_id, timeline, window, Filters())
                    took.append(time.perf_counter() - began)
                report.line(
                    f"timeline query, {days} of {DAYS} days of {DEPLOYS:,}, p95", quantile(took, 0.95) * 1e3, "ms", at_most=50
                )


def fill(db: Database, organization_id: UUID) -> None:
    """Deploys of many services over many days, by a fixed seed."""
    dice, end = random.Random(1), now()
    for number in range(SERVICES):
        draft = ServiceDraft.checked(name=f"service-{number}", environment="production", type="web")
        db.write_now(organization_id, create, KeyRing((Key(b"x" * 32),)), draft, "bench")

    def add(session: ScopedSession) -> None:
        from blametrail.catalog.services import names

        services = sorted(names(session))
        rows = [
            {
                "id": uuid4(),
                "organization_id": organization_id,
                "service_id": dice.choice(services),
                "environment": dice.choice(["production", "production", "staging"]),
                "commit_sha": f"{dice.getrandbits(160):040x}",
                "commit_message": "Change something that matters to somebody",
                "branch": "main",
                "deployed_by": f"person-{dice.randrange(40)}",
                "version": "",
                "description": "",
                "url": "",
                "commit_count": 0,
                "deployed_at": end - timedelta(days=DAYS) * dice.random(),
                "received_at": end,
                "stated_previous_sha": "",
                "previous_sha": "",
                "kind": "rollback" if dice.random() < 0.03 else "deploy",
                "remarks": "",
            }
            for _ in range(DEPLOYS)
        ]
        session.execute(insert(Deploy), rows)

    db.write_now(organization_id, add)
