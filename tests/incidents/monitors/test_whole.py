"""The whole system: a small server goes down and comes back, and the running product opens and resolves an incident."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlmodel import col, select, update

from blametrail.incidents.monitors.tables import Monitor, MonitorCheck
from blametrail.incidents.tables import Incident
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from tests.cast import opened
from tests.incidents.monitors.stage import until
from tests.kit.test_http import always, serving
from tests.running import running

CANARY = "canary-header-of-a-monitor"


@pytest.mark.slow
async def test_it_notices_a_server_that_stops_and_starts_again(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server, opened(server) as db:
        server.found()
        service = server.service("shop")
        client = server.sign_in()
        async with serving(always()) as site:
            url = site.url("/health")
            fields = {"name": "front", "service_id": service["id"], "environment": "production", "url": url}
            saved = server.form(client, "monitor", **fields, headers=f"Authorization: Bearer {CANARY}")
            assert saved.json() == {"location": "/monitors"}
            hurry(db)
            await until(lambda: len(checks(db)) >= 4)
            assert site.heard[0].headers["authorization"] == f"Bearer {CANARY}"
            stopped_at = now()
        await until(lambda: len(incidents(db)) == 1, 30)
        (incident,) = incidents(db)
        assert (incident.type, incident.status, incident.title) == ("availability", "open", "front is down")
        assert abs(incident.onset_at - stopped_at) <= timedelta(seconds=2), "an interval, on a busy machine"
        assert "took no connection" in incident.error_message
        server.kill()
        server.start()
        assert [one.status for one in incidents(db)] == ["open"]
        async with serving(always()) as site:
            db.write_now(EVERY_ORGANIZATION, lambda s: s.exec(update(Monitor).values(url=site.url("/health"))))
            await until(lambda: incidents(db)[0].status == "resolved", 30)
        assert incidents(db)[0].resolved_by == "monitor front" and len(incidents(db)) == 1
        kept = b"".join(file.read_bytes() for file in server.data_dir.glob("blametrail.db*"))
        assert CANARY.encode() not in kept and CANARY not in server.log.read_text()


def hurry(db: Database) -> None:
    """A second between checks, which people may not choose."""
    values = {"interval_seconds": 1.0, "timeout_seconds": 1.0, "next_at": now()}
    db.write_now(EVERY_ORGANIZATION, lambda s: s.exec(update(Monitor).values(values)))


def incidents(db: Database) -> list[Incident]:
    return list(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Incident)).all()))


def checks(db: Database) -> list[UUID]:
    return list(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(col(MonitorCheck.monitor_id))).all()))
