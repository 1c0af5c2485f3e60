"""Who may change monitors, what is refused with the field's name, and what becomes of secrets and incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.accounts.roles import Role
from blametrail.incidents.monitors import edit, maintenance
from blametrail.incidents.monitors.draft import MonitorDraft
from blametrail.incidents.monitors.maintenance import WindowDraft
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from blametrail.kit.db import Database
from blametrail.kit.errors import Invalid, NotAllowed, NotFound
from blametrail.kit.vault import place_of, unseal
from tests.incidents.monitors.stage import KEYS, Shop

URL = "https://shop.example.com/health"
GOOD = {"name": "front", "service_id": str(uuid4()), "environment": "production", "url": URL}


@pytest.fixture
def shop(db: Database, acme: UUID) -> Shop:
    return Shop(db, acme)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("environment", ""),
        ("method", "DELETE"),
        ("url", ""),
        ("url", "shop.example.com"),
        ("url", "ftp://shop.example.com"),
        ("url", "https://user:word@shop.example.com"),
        ("url", "https://shop.example.com:99999"),
        ("url", "https://shop.example.com/\nx"),
        ("url", "https://" + "x" * 2_100),
        ("severity", "worst"),
        ("interval_seconds", "9"),
        ("interval_seconds", "1e3"),
        ("interval_seconds", "-10"),
        ("interval_seconds", "٣٠"),
        ("timeout_seconds", "0"),
        ("timeout_seconds", "61"),
        ("latency_ms", "60001"),
        ("expected_status", "okay"),
        ("body_text", "x" * 1_001),
        ("service_id", ""),
        ("headers", "no colon"),
        ("headers", "Bad Name: x"),
        ("headers", "X-Key: é"),
        ("headers", "Host: other.example.com"),
        ("headers", "\n".join(f"X-{n}: x" for n in range(21))),
    ],
)
def test_it_names_the_field_that_is_wrong(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        MonitorDraft.checked(GOOD | {field: value})
    assert set(refused.value.fields) == {field}


def test_it_waits_no_longer_than_until_the_next_check() -> None:
    with pytest.raises(Invalid) as refused:
        MonitorDraft.checked(GOOD | {"interval_seconds": "10", "timeout_seconds": "11"})
    assert set(refused.value.fields) == {"timeout_seconds"}


@given(st.dictionaries(st.sampled_from([*GOOD, "headers", "expected_status", "interval_seconds", "body_text"]), st.text()))
def test_it_parses_any_form_or_says_what_is_wrong(form: dict[str, str]) -> None:
    try:
        MonitorDraft.checked(GOOD | form)
    except (Invalid, NotFound) as refused:
        assert str(refused)


def test_it_quotes_no_header_that_it_refuses() -> None:
    with pytest.raises(Invalid) as refused:
        MonitorDraft.checked(GOOD | {"headers": "canary-without-colon"})
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(MonitorDraft.checked(GOOD | {"headers": "X-Key: canary"}))


def test_it_keeps_replaces_and_drops_headers(shop: Shop) -> None:
    front = shop.watch(URL, headers="X-Key: first\nX-Other: word")

    def opened(**more: str) -> tuple[str, str]:
        shop.db.write_now(shop.acme, edit.change, KEYS, shop.actor(), front, shop.draft(URL, **more))
        row = shop.monitor(front)
        return row.header_names, row.headers_sealed and unseal(KEYS, place_of(row, "headers_sealed"), row.headers_sealed)

    assert opened() == ("X-Key\nX-Other", '{"X-Key": "first", "X-Other": "word"}')
    assert opened(headers="X-Key: second") == ("X-Key", '{"X-Key": "second"}')
    assert opened(drop_headers="on") == ("", "")


def test_it_lets_responders_pause_and_viewers_only_look(shop: Shop) -> None:
    front = shop.watch(URL)
    responder, viewer = shop.actor(Role.RESPONDER), shop.actor(Role.VIEWER)
    for denied in (
        lambda: shop.db.write_now(shop.acme, edit.add, KEYS, responder, shop.draft(URL, name="other")),
        lambda: shop.db.write_now(shop.acme, edit.change, KEYS, responder, front, shop.draft(URL)),
        lambda: shop.db.write_now(shop.acme, edit.remove, responder, front),
        lambda: shop.db.write_now(shop.acme, maintenance.cancel, responder, uuid4()),
        lambda: shop.db.write_now(shop.acme, edit.pause, viewer, front),
        lambda: shop.db.write_now(shop.acme, edit.resume, viewer, front),
    ):
        with pytest.raises(NotAllowed):
            denied()
    shop.db.write_now(shop.acme, edit.pause, responder, front)
    assert shop.monitor(front).next_at is None
    shop.db.write_now(shop.acme, edit.change, KEYS, shop.actor(), front, shop.draft(URL, body_text="x"))
    assert shop.monitor(front).next_at is None
    shop.db.write_now(shop.acme, edit.resume, responder, front)
    assert shop.monitor(front).next_at is not None


def test_it_gives_no_name_twice(shop: Shop) -> None:
    shop.watch(URL)
    with pytest.raises(Invalid):
        shop.watch(URL, name="FRONT")


def test_it_reaches_nothing_of_another_organization(shop: Shop, elsewhere: UUID) -> None:
    front = shop.watch(URL)
    for refused in (
        lambda: shop.db.write_now(elsewhere, edit.pause, shop.actor(), front),
        lambda: shop.db.write_now(elsewhere, edit.remove, shop.actor(), front),
        lambda: shop.db.write_now(elsewhere, edit.change, KEYS, shop.actor(), front, shop.draft(URL)),
        lambda: shop.db.write_now(elsewhere, maintenance.plan, shop.actor(), window(services=[str(shop.service_id)])),
    ):
        with pytest.raises(NotFound):
            refused()
    assert shop.monitor(front).next_at is not None


def test_it_tells_the_incident_that_its_monitor_is_gone(shop: Shop) -> None:
    front = shop.watch(URL)
    at = now()
    report = Report(
        type=IncidentType.AVAILABILITY,
        severity=Severity.ERROR,
        title="front is down",
        onset=Onset(at, at, at, "checks"),
        detected_at=at,
        who="monitor front",
        origin=f"monitor:{front}",
    )
    incident = shop.db.write_now(shop.acme, open_incident, report)

    def link(session: object) -> None:
        row = edit.get_monitor(session, front)  # type: ignore[arg-type]
        row.incident_id = incident
        session.add(row)  # type: ignore[attr-defined]

    shop.db.write_now(shop.acme, link)
    shop.db.write_now(shop.acme, edit.remove, shop.actor(), front)
    assert shop.incidents()[0].status == "open" and "was deleted" in shop.entries(incident)[-1].text


def window(**more: object) -> WindowDraft:
    fields: dict[str, object] = {"starts": "", "minutes": "60", "note": "", "services": [], "time_zone": "UTC"}
    return WindowDraft.checked(**(fields | more))  # type: ignore[arg-type]


def test_it_reads_a_start_in_the_zone_of_the_organization() -> None:
    wanted = (now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0, tzinfo=None)
    draft = window(starts=wanted.isoformat(), time_zone="Asia/Tokyo")
    assert draft.starts_at == wanted.replace(tzinfo=UTC) - timedelta(hours=9)
    assert draft.ends_at - draft.starts_at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("starts", "tomorrow"),
        ("starts", datetime(2001, 1, 1).isoformat()),
        ("starts", "9999-12-31T23:59:59Z"),
        ("minutes", ""),
        ("minutes", "0"),
        ("minutes", "99999"),
        ("minutes", "1.5"),
        ("note", "x" * 301),
    ],
)
def test_it_names_what_is_wrong_with_a_window(field: str, value: str) -> None:
    with pytest.raises(Invalid) as refused:
        window(**{field: value})
    assert field in refused.value.fields
