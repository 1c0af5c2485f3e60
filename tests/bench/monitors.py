"""500 monitors every 30 seconds against a small server on loopback: how late a check starts, and what all of it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlmodel import select

from blametrail.catalog.tables import Service
from blametrail.incidents.monitors.spread import next_slot
from blametrail.incidents.monitors.tables import Monitor, MonitorCheck
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.bench.load import quantile
from tests.bench.report import Report
from tests.cast import opened
from tests.running import Server, free_port, running

MONITORS, INTERVAL, SECONDS = 500, timedelta(seconds=30), 62.0
TOO_EARLY = timedelta(milliseconds=5)
SITE = """
import asyncio, sys
async def talk(reader, writer):
    try:
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
        await writer.drain()
    finally:
        writer.close()
async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


def bench(report: Report) -> None:
    port = free_port()
    site = subprocess.Popen([sys.executable, "-c", SITE, str(port)])
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            running(Path(folder) / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server,
        ):
            server.found()
            with opened(server) as db:
                db.write_now(EVERY_ORGANIZATION, watch, UUID(server.service("shop")["id"]), f"http://127.0.0.1:{port}/")
            time.sleep(5)
            began, used = now(), processor(server)
            time.sleep(SECONDS)
            share = (processor(server) - used) / SECONDS
            time.sleep(3)  # what was found is kept by now
            with opened(server) as db:
                lateness, failed = db.read_now(EVERY_ORGANIZATION, late, began, began + timedelta(seconds=SECONDS))
    finally:
        site.kill()
    report.line("monitors, checks a second", len(lateness) / SECONDS, "", at_least=0.98 * MONITORS / INTERVAL.total_seconds())
    report.line("monitors, checks that failed", failed, "", at_most=0)
    report.line("monitors, median lateness", quantile(lateness, 0.5) * 1e3, "ms")
    report.line("monitors, p99 lateness", quantile(lateness, 0.99) * 1e3, "ms", at_most=1_000)
    report.line("monitors, most lateness", max(lateness) * 1e3, "ms")
    report.line("monitors, share of one core, all of the server", 100 * share, "%", at_most=25)


def watch(session: ScopedSession, service_id: UUID, url: str) -> None:
    organization_id = session.exec(select(Service.organization_id).where(Service.id == service_id)).one()
    for number in range(MONITORS):
        monitor_id = uuid4()
        session.add(
            Monitor(
                id=monitor_id,
                organization_id=organization_id,
                service_id=service_id,
                environment="production",
                name=f"monitor {number}",
                url=url,
                body_text="ok",
                latency_ms=5_000,
                interval_seconds=INTERVAL.total_seconds(),
                next_at=next_slot(monitor_id, INTERVAL, now()),
            )
        )


def late(session: ScopedSession, start: datetime, end: datetime) -> tuple[list[float], int]:
    """Seconds that checks began after their moment, and how many failed."""
    found = session.exec(select(MonitorCheck).where(MonitorCheck.at >= start, MonitorCheck.at < end)).all()
    # The clock of the loop may be some microseconds ahead of the wall's: that much too early is on time, not an interval late.
    moments = [next_slot(check.monitor_id, INTERVAL, check.at + TOO_EARLY) - INTERVAL for check in found]
    lateness = [(check.at - moment).total_seconds() for check, moment in zip(found, moments, strict=True)]
    return lateness, sum(check.health != "up" for check in found)


def processor(server: Server) -> float:
    """Seconds of processor that the server has used."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
