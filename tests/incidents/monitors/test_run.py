"""Monitors notice what goes down and comes back, once, whoever else runs; pauses and windows are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select, update

from blametrail.incidents import act
from blametrail.incidents.monitors import edit, maintenance
from blametrail.incidents.monitors.check import Fault, Result
from blametrail.incidents.monitors.judge import Health
from blametrail.incidents.monitors.maintenance import WindowDraft
from blametrail.incidents.monitors.run import checking, claim
from blametrail.incidents.monitors.store import CHECKS_KEPT, forget_old_checks, store_checks
from blametrail.incidents.monitors.tables import Monitor, MonitorCheck
from blametrail.incidents.monitors.views import list_monitors
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from blametrail.kit.keys import Key, KeyRing
from blametrail.settings import settings
from tests.incidents.monitors.stage import BEAT, INTERVAL, KEYS, Shop, until
from tests.kit.test_http import Heard, serving, written


@pytest.fixture
def shop(db: Database, acme: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("BLAMETRAIL_ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
    settings.cache_clear()
    yield Shop(db, acme)
    settings.cache_clear()


async def test_it_opens_and_resolves_as_a_service_goes_down_and_comes_back(shop: Shop) -> None:
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url("/health"), severity="critical")
        await shop.more_checks(front, 5)
        assert not shop.incidents()
        broke_at, shop.status = now(), 503
        await until(lambda: bool(shop.incidents()))
        shop.status = 200
        await until(lambda: shop.incidents()[0].status == "resolved")
    (incident,) = shop.incidents()
    assert (incident.type, incident.severity, incident.title) == ("availability", "critical", "front is down")
    assert incident.error_message == "It answered 503, not 200-299." and incident.endpoint.startswith("GET http")
    assert incident.origin == f"monitor:{front}" and incident.resolved_by == "monitor front"
    assert incident.onset_earliest <= broke_at + timedelta(seconds=INTERVAL)
    assert abs((incident.onset_at - broke_at).total_seconds()) < 5 * INTERVAL
    third = [check for check in shop.checks(front) if check.health == "down"][2]
    assert incident.onset_at < third.at
    monitor = shop.monitor(front)
    assert monitor.health == "up" and monitor.incident_id is None and monitor.reason == ""


async def test_it_opens_an_incident_of_latency(shop: Shop) -> None:
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url(), latency_ms="50")
        await shop.more_checks(front, 3)
        shop.delay = 0.07
        await until(lambda: bool(shop.incidents()))
    assert shop.incidents()[0].type == "latency" and shop.incidents()[0].title == "front is slow"


async def test_it_goes_on_counting_after_a_restart(shop: Shop) -> None:
    async with serving(shop.answer) as site:
        front = shop.watch(site.url())
        shop.status = 500
        values = {"run": "down", "run_length": 2, "next_at": now() + timedelta(seconds=0.2)}
        shop.db.write_now(shop.acme, lambda s: s.exec(update(Monitor).values(values)))
        async with checking(shop.db, KEYS, BEAT):
            await until(lambda: bool(shop.incidents()))
    assert len(shop.incidents()) == 1 and shop.checks(front)[0].at <= shop.incidents()[0].detected_at


async def test_it_opens_what_was_due_when_a_process_ended(shop: Shop) -> None:
    """Between the third failure and the incident."""
    async with serving(shop.answer) as site:
        front = shop.watch(site.url())
        for _ in range(3):
            failed = Result(now(), Health.DOWN, Fault.STATUS, "It answered 500.", 500, 3.0)
            due = shop.db.write_now(shop.acme, store_checks, [(front, failed)], is_told=False)
        assert due == [front] and not shop.incidents()
        shop.status = 500
        async with checking(shop.db, KEYS, BEAT):
            await until(lambda: bool(shop.incidents()))


async def test_it_gives_each_check_to_one_process(shop: Shop) -> None:
    for n in range(20):
        shop.watch("http://127.0.0.1:9/", name=str(n))
    values = {"interval_seconds": 30.0, "next_at": now()}
    shop.db.write_now(shop.acme, lambda s: s.exec(update(Monitor).values(values)))
    tries = (shop.db.write(EVERY_ORGANIZATION, claim, KEYS, now(), 15) for _ in range(6))
    claimed = [one.monitor_id for many in await asyncio.gather(*tries) for one in many]
    assert len(claimed) == len(set(claimed)) == 20


async def test_it_opens_one_incident_though_several_processes_run(shop: Shop) -> None:
    async with serving(shop.answer) as site:
        front = shop.watch(site.url())
        async with checking(shop.db, KEYS, BEAT), checking(shop.db, KEYS, BEAT), checking(shop.db, KEYS, BEAT):
            await shop.more_checks(front, 5)
            shop.status = 500
            await until(lambda: bool(shop.incidents()))
            await shop.more_checks(front, 5)
            shop.status = 200
            await until(lambda: shop.incidents()[0].status == "resolved")
    assert len(shop.incidents()) == 1
    assert [entry.kind for entry in shop.entries(shop.incidents()[0].id)] == ["opened", "resolved"]


async def test_it_stays_silent_in_a_window_and_goes_on_checking(shop: Shop) -> None:
    draft = WindowDraft.checked(starts="", minutes="60", note="", services=[str(shop.service_id)], time_zone="UTC")
    window = shop.db.write_now(shop.acme, maintenance.plan, shop.actor(), draft)
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url())
        shop.status = 500
        await shop.more_checks(front, 6)
        assert not shop.incidents() and shop.monitor(front).run_length >= 3
        shop.db.write_now(shop.acme, maintenance.cancel, shop.actor(), window)
        await until(lambda: bool(shop.incidents()))
    (incident,), checks = shop.incidents(), shop.checks(front)
    failed = next(check for check in checks if check.health == "down")
    assert incident.onset_earliest <= failed.at <= incident.onset_latest + timedelta(seconds=1)


def test_it_is_silent_for_the_services_and_the_time_of_the_window_only(shop: Shop) -> None:
    def plan(*services: str) -> UUID:
        draft = WindowDraft.checked(starts="", minutes="60", note="", services=services, time_zone="UTC")
        return shop.db.write_now(shop.acme, maintenance.plan, shop.actor(), draft)

    def silent(service_id: UUID, hours: int = 0) -> bool:
        return shop.db.read_now(shop.acme, maintenance.is_silent, service_id, now() + timedelta(hours=hours))

    plan(str(shop.service_id))
    assert silent(shop.service_id) and not silent(uuid4()) and not silent(shop.service_id, hours=2)
    for_all = plan()
    assert silent(uuid4())
    shop.db.write_now(shop.acme, maintenance.cancel, shop.actor(), for_all)
    assert silent(shop.service_id) and not silent(uuid4())


async def test_it_checks_nothing_while_it_is_paused(shop: Shop) -> None:
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url())
        await shop.more_checks(front, 2)
        shop.db.write_now(shop.acme, edit.pause, shop.actor(), front)
        other = shop.watch(site.url(), name="other")
        await shop.more_checks(other, 3)
        before = len(shop.checks(front))
        await shop.more_checks(other, 5)
        assert len(shop.checks(front)) == before and shop.monitor(front).run_length == 0
        shop.db.write_now(shop.acme, edit.resume, shop.actor(), front)
        await shop.more_checks(front, 2)


async def test_it_resolves_once_every_monitor_of_the_incident_passes(shop: Shop) -> None:
    statuses = {"/front": 500, "/back": 500}

    async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(written(statuses[heard.target]))

    async with serving(answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url("/front"))
        backend = shop.watch(site.url("/back"), name="back")
        await until(lambda: all(shop.monitor(one).incident_id for one in (front, backend)))
        assert len(shop.incidents()) == 1
        statuses["/back"] = 200
        await until(lambda: shop.monitor(backend).health == "up")
        assert shop.incidents()[0].status == "open"
        statuses["/front"] = 200
        await until(lambda: shop.incidents()[0].status == "resolved")
    told = [entry.text for entry in shop.entries(shop.incidents()[0].id)]
    assert any("Still failing: front" in text for text in told)


async def test_it_leaves_an_incident_open_that_a_person_opened(shop: Shop) -> None:
    at = now()
    report = Report(
        type=IncidentType.MANUAL,
        severity=Severity.ERROR,
        title="Carts are empty",
        onset=Onset(at, at, at, "Alice saw it"),
        detected_at=at,
        who="Alice",
        service_ids=(shop.service_id,),
    )
    carts = shop.db.write_now(shop.acme, open_incident, report)
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url())
        shop.status = 500
        await until(lambda: shop.monitor(front).incident_id == carts)
        shop.status = 200
        await until(lambda: shop.monitor(front).health == "up")
    assert [incident.status for incident in shop.incidents()] == ["open"]
    assert "leaves it open" in shop.entries(carts)[-1].text


async def test_it_opens_no_other_while_it_is_down_and_a_person_resolved_it(shop: Shop) -> None:
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url())
        shop.status = 500
        await until(lambda: bool(shop.incidents()))
        shop.db.write_now(shop.acme, act.resolve, shop.incidents()[0].id, "Alice")
        await shop.more_checks(front, 5)
        assert len(shop.incidents()) == 1
        shop.status = 200
        await until(lambda: shop.monitor(front).health == "up")
        shop.status = 500
        await until(lambda: len(shop.incidents()) == 2)


async def test_it_sends_headers_that_only_the_envelope_holds(shop: Shop) -> None:
    canary = "canary-header-value"
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url(), headers=f"X-Key: {canary}")
        await shop.more_checks(front, 1)
        assert site.heard[0].headers["x-key"] == canary
    row = shop.monitor(front)
    assert row.headers_sealed and canary not in repr(row.model_dump())
    assert canary not in repr(shop.db.read_now(shop.acme, list_monitors))


async def test_it_says_when_its_headers_cannot_be_opened_and_judges_nothing(shop: Shop) -> None:
    async with serving(shop.answer) as site:
        front = shop.watch(site.url(), headers="X-Key: word")
        other = KeyRing((Key(b"o" * 32),))
        async with checking(shop.db, other, BEAT):
            await until(lambda: "headers" in shop.monitor(front).reason)
        assert not site.heard
    assert not shop.checks(front)


def test_it_makes_up_for_no_check_that_comes_again_soon(shop: Shop) -> None:
    """After a stop, hundreds would be due in the same instant."""
    front = shop.watch("http://127.0.0.1:9/")
    missed = {"interval_seconds": 30.0, "next_at": now() - timedelta(hours=1)}
    shop.db.write_now(shop.acme, lambda s: s.exec(update(Monitor).values(missed)))
    assert shop.db.write_now(EVERY_ORGANIZATION, claim, KEYS, now(), 10) == []
    again = shop.monitor(front).next_at
    assert again is not None and timedelta() < again - now() <= timedelta(seconds=30)
    daily = {"interval_seconds": 86_400.0, "next_at": now() - timedelta(hours=1)}
    shop.db.write_now(shop.acme, lambda s: s.exec(update(Monitor).values(daily)))
    claimed = shop.db.write_now(EVERY_ORGANIZATION, claim, KEYS, now(), 10)
    assert len(claimed) == 1 or (shop.monitor(front).next_at or now()) - now() < timedelta(minutes=1)


async def test_it_forgets_old_checks(shop: Shop) -> None:
    front = shop.watch("http://127.0.0.1:9/")
    ages = (timedelta(hours=1), CHECKS_KEPT + timedelta(hours=1))
    rows = [MonitorCheck(monitor_id=front, at=now() - age, health="up") for age in ages]
    shop.db.write_now(shop.acme, lambda s: s.add_all(rows))
    await forget_old_checks(shop.db)
    assert len(shop.checks(front)) == 1


async def test_it_counts_uptime(shop: Shop) -> None:
    async with serving(shop.answer) as site, checking(shop.db, KEYS, BEAT):
        front = shop.watch(site.url())
        await shop.more_checks(front, 3)
        shop.status = 500
        await shop.more_checks(front, 3)
    (view,), count = shop.db.read_now(shop.acme, list_monitors)
    checks = shop.checks(front)
    assert count == 1 and view.uptime == pytest.approx(sum(c.health == "up" for c in checks) / len(checks))
    assert len(view.recent.split()) == len(checks)


def test_it_belongs_to_one_organization(shop: Shop, elsewhere: UUID) -> None:
    shop.watch("http://127.0.0.1:9/")
    assert shop.db.read_now(elsewhere, list_monitors) == ([], 0)
    assert not shop.db.read_now(elsewhere, lambda s: s.exec(select(Monitor)).all())
