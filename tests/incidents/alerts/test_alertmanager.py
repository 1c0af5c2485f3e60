"""A real Alertmanager fires, groups and resolves against the running product: incidents open, absorb and close."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.catalog.tables import Service
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.snippets import snippets
from blametrail.incidents.alerts.tables import AlertDelivery, AlertState
from blametrail.incidents.tables import Incident
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.cast import opened
from tests.peers.alertmanager import BINARY, MISSING, Alertmanager, alertmanager
from tests.running import Server, running

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BINARY is None, reason=MISSING)]


class Told(NamedTuple):
    server: Server
    manager: Alertmanager

    def rows(self, table: Any) -> list[Any]:
        with opened(self.server) as db:
            scope: UUID = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one())
            return db.read_now(scope, lambda s: list(s.exec(select(table))))

    def incidents(self) -> list[Incident]:
        return sorted(self.rows(Incident), key=lambda one: one.number)

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < end, [(row.result, row.reason) for row in self.rows(AlertDelivery)]
            time.sleep(0.1)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with running(tmp_path / "data") as server:
        server.found()
        server.service("shop")
        server.service("web")
        client = server.sign_in()
        made = server.form(client, "alert-source", name="prometheus", kind="alertmanager")
        client.close()
        token = made.json()["secret"]
        shown = next(one for one in snippets(server.url) if one.kind is SourceKind.ALERTMANAGER)
        with alertmanager(tmp_path, shown.text.replace("$TOKEN", token)) as manager:
            yield Told(server, manager)


def labels(name: str, service: str = "shop", severity: str = "critical") -> dict[str, str]:
    return {"alertname": name, "service": service, "severity": severity, "instance": "a"}


def test_it_opens_absorbs_and_closes(told: Told) -> None:
    began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3)
    told.manager.tell(labels("HighErrorRate"), began=began)
    told.until(lambda: len(told.incidents()) == 1)
    (incident,) = told.incidents()
    assert (incident.title, incident.severity, incident.type) == ("HighErrorRate on shop", "critical", "alertmanager")
    assert incident.onset_at == began

    told.manager.tell(labels("HighErrorRate") | {"instance": "b"}, labels("SlowRequests", severity="warning"))
    told.manager.tell(labels("HighErrorRate", service="web"))
    told.until(lambda: len(told.incidents()) == 2 and len(told.rows(AlertState)) == 4)
    first = told.incidents()[0]
    assert {row.incident_id for row in told.rows(AlertState) if row.service_id == _shop(told)} == {first.id}

    told.manager.tell(labels("HighErrorRate"), labels("HighErrorRate") | {"instance": "b"}, over=True, began=began)
    told.until(lambda: sum(row.status == "resolved" for row in told.rows(AlertState)) == 2)
    assert [one.status for one in told.incidents()] == ["open", "open"]

    told.manager.tell(labels("SlowRequests", severity="warning"), over=True, began=began)
    told.manager.tell(labels("HighErrorRate", service="web"), over=True, began=began)
    told.until(lambda: [one.status for one in told.incidents()] == ["resolved", "resolved"])
    assert all(row.result in {"opened", "absorbed", "noted", "resolved"} for row in told.rows(AlertDelivery))

    told.manager.tell(labels("HighErrorRate"))
    told.until(lambda: [one.status for one in told.incidents()] == ["resolved", "resolved", "open"])


def test_it_keeps_what_maps_to_no_service_and_groups_a_storm(told: Told) -> None:
    told.manager.tell(*({"alertname": "NodeDown", "instance": str(n), "severity": "error"} for n in range(200)))
    told.until(lambda: len(told.rows(AlertState)) == 200)
    assert not told.incidents() and {row.result for row in told.rows(AlertDelivery)} == {"unmapped"}
    told.manager.tell(*(labels("PodDown") | {"instance": str(n)} for n in range(200)))
    told.until(lambda: len(told.rows(AlertState)) == 400)
    assert len(told.incidents()) == 1


def _shop(told: Told) -> UUID:
    found: UUID = next(row.id for row in told.rows(Service) if row.name == "shop")
    return found
