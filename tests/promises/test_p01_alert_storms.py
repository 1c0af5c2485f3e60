"""P01 for alerts: killed in the middle of a storm, nothing that was acknowledged is lost, and no incident opens twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from blametrail.incidents.alerts.tables import AlertDelivery, AlertState
from blametrail.incidents.tables import Incident, IncidentService
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.cast import opened
from tests.running import Server, running

ALERTS, SERVICES, SENDERS, SECONDS, KILLS = 1_000, 10, 8, 10.0, 4
RESTART = 120.0
"""Seconds that a start may take beside a storm, on a machine that may be busy; a sender outlasts all of them."""
PATIENCE = KILLS * RESTART + 60


class Storm:
    """Alerts of ten services, spread over ten seconds, each sent until it is acknowledged."""

    def __init__(self, server: Server, token: str) -> None:
        self.acknowledged: dict[int, str] = {}
        self.cut_off = 0
        self._url, self._headers = f"{server.url}/api/alerts/generic", {"X-Alert-Token": token}
        self._began = time.monotonic()
        self._local = threading.local()

    def send_all(self, threads: ThreadPoolExecutor) -> None:
        for done in [threads.submit(self._send, number) for number in range(ALERTS)]:
            done.result()

    def _send(self, number: int) -> None:
        time.sleep(max(0.0, self._began + SECONDS * number / ALERTS - time.monotonic()))
        body = {
            "title": f"alert {number}",
            "fingerprint": str(number),
            "severity": "critical",
            "service": f"s{number % SERVICES}",
        }
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = self._client().post(self._url, json=body, headers=self._headers)
            except httpx.ConnectError:
                time.sleep(0.02)
            except httpx.TransportError:
                self.cut_off += 1
            else:
                if answer.status_code == 200:
                    self.acknowledged[number] = answer.json()["delivery_id"]
                    return
                assert answer.status_code == 503, answer.text
        raise AssertionError(f"alert {number} was never acknowledged")

    def _client(self) -> httpx.Client:
        if not hasattr(self._local, "client"):
            self._local.client = httpx.Client(timeout=10)
        client: httpx.Client = self._local.client
        return client


@pytest.mark.slow
def test_it_keeps_every_acknowledged_alert_when_killed_in_a_storm(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        for number in range(SERVICES):
            server.service(f"s{number}")
        client = server.sign_in()
        token = server.form(client, "alert-source", name="storm", kind="generic").json()["secret"]
        client.close()
        storm = Storm(server, token)
        with ThreadPoolExecutor(SENDERS) as threads, ThreadPoolExecutor(1) as beside:
            sending = beside.submit(storm.send_all, threads)
            for _ in range(KILLS):
                time.sleep(random.uniform(0.5, 2.0))
                server.kill()
                server.start(seconds=RESTART)
            sending.result()
        kept = {table: rows(server, table) for table in (AlertDelivery, AlertState, Incident, IncidentService)}
    assert storm.cut_off > 0, "no alert was under way at any kill"
    assert set(storm.acknowledged) == set(range(ALERTS))
    assert {str(row.id) for row in kept[AlertDelivery]} >= set(storm.acknowledged.values())
    states = {row.fingerprint: row for row in kept[AlertState]}
    assert len(kept[AlertState]) == ALERTS and all(state.incident_id for state in states.values())
    assert len(kept[Incident]) == SERVICES and all(row.resolved_at is None for row in kept[Incident])
    assert set(Counter(row.service_id for row in kept[IncidentService]).values()) == {1}


def rows(server: Server, table: Any) -> list[Any]:
    with opened(server) as db:
        return db.read_now(EVERY_ORGANIZATION, lambda s: list(s.exec(select(table))))
