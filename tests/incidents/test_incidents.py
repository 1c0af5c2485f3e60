"""Incidents open once for one thing, tell what happened to them, and end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from blametrail.catalog.services import ServiceDraft, create
from blametrail.incidents import act
from blametrail.incidents.find import (
    IncidentFilters,
    id_of_number,
    incident_detail,
    incidents_between,
    list_incidents,
    unresolved,
)
from blametrail.incidents.open import open_incident, open_or_absorb
from blametrail.incidents.reports import IncidentDraft, Onset, Report, Symptom
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotFound
from tests.enriching import KEYS


@pytest.fixture
def shop(db: Database, acme: UUID) -> UUID:
    return db.write_now(acme, _service, "shop")


def _service(session: ScopedSession, name: str) -> UUID:
    draft = ServiceDraft.checked(name=name, environment="production", type="web")
    return create(session, KEYS, draft, "test")[0]


def report(**changed: object) -> Report:
    moment = now()
    made = Report(
        type=IncidentType.AVAILABILITY,
        severity=Severity.ERROR,
        title="Checkout answers 500",
        onset=Onset(moment - timedelta(minutes=3), moment - timedelta(minutes=4), moment, "the checks failed from then on"),
        detected_at=moment,
        who="monitor checkout",
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def test_it_lets_one_incident_absorb_what_is_told_again(db: Database, acme: UUID, shop: UUID) -> None:
    first = db.write_now(acme, open_or_absorb, report(origin="monitor:1", service_ids=(shop,), environments=("production",)))
    again = db.write_now(acme, open_or_absorb, report(origin="monitor:1"))
    other = db.write_now(acme, open_or_absorb, report(origin="alert:7", service_ids=(shop,), severity=Severity.CRITICAL))
    assert first.is_new and not again.is_new and not other.is_new
    assert {first.incident_id, again.incident_id, other.incident_id} == {first.incident_id}
    found = db.read_now(acme, incident_detail, first.incident_id)
    assert found.incident.severity == "critical"
    assert [entry.kind for entry in found.entries] == ["opened", "told", "told"]


def test_it_keeps_what_is_unrelated_apart(db: Database, acme: UUID, shop: UUID) -> None:
    cart = db.write_now(acme, _service, "cart")
    reports = [
        report(origin="a", service_ids=(shop,), environments=("production",)),
        report(origin="b", service_ids=(shop,), environments=("staging",)),
        report(origin="c", service_ids=(cart,), environments=("production",)),
        report(origin="d"),
    ]
    opened = [db.write_now(acme, open_or_absorb, r) for r in reports]
    assert all(taken.is_new for taken in opened)
    assert [i.number for i in db.read_now(acme, list_incidents).incidents] == [4, 3, 2, 1]


def test_it_opens_one_incident_when_many_tell_at_once(db: Database, acme: UUID, shop: UUID) -> None:
    with ThreadPoolExecutor(8) as pool:
        taken = list(
            pool.map(lambda n: db.write_now(acme, open_or_absorb, report(origin=f"alert:{n}", service_ids=(shop,))), range(16))
        )
    assert sum(t.is_new for t in taken) == 1
    assert len({t.incident_id for t in taken}) == 1


def test_it_opens_anew_after_the_end(db: Database, acme: UUID, shop: UUID) -> None:
    first = db.write_now(acme, open_or_absorb, report(origin="monitor:1", service_ids=(shop,)))
    db.write_now(acme, act.resolve, first.incident_id, "monitor checkout")
    second = db.write_now(acme, open_or_absorb, report(origin="monitor:1", service_ids=(shop,)))
    assert second.is_new and second.incident_id != first.incident_id
    with pytest.raises(Conflict, match="open already"):
        db.write_now(acme, act.reopen, first.incident_id, "Bob")


def test_it_goes_from_open_to_acknowledged_to_resolved_and_back(db: Database, acme: UUID) -> None:
    id_ = db.write_now(acme, open_incident, report())
    for do in (act.acknowledge, act.resolve, act.resolve, act.reopen):
        db.write_now(acme, do, id_, "Bob")
    found = db.read_now(acme, incident_detail, id_)
    assert found.incident.status == "acknowledged" and found.incident.resolved_at is None
    assert [(e.kind, e.who) for e in found.entries[1:]] == [("acknowledged", "Bob"), ("resolved", "Bob"), ("reopened", "Bob")]
    db.write_now(acme, act.resolve, id_, "Bob")
    with pytest.raises(Conflict, match="Reopen it"):
        db.write_now(acme, act.acknowledge, id_, "Bob")


def test_it_takes_an_earlier_onset_until_a_person_says_when(db: Database, acme: UUID) -> None:
    id_ = db.write_now(acme, open_incident, report(origin="a"))
    earlier = now() - timedelta(hours=1)
    db.write_now(acme, open_or_absorb, report(origin="a", onset=Onset(earlier, earlier, earlier, "the alert says so")))
    found = db.read_now(acme, incident_detail, id_)
    assert (found.incident.onset_at, found.onset_basis) == (earlier, "the alert says so")
    said = Onset(earlier + timedelta(minutes=5), earlier, earlier + timedelta(minutes=9), "somebody who knows said so")
    db.write_now(acme, act.correct_onset, id_, said, "Bob")
    db.write_now(acme, open_or_absorb, report(origin="a", onset=Onset(earlier, earlier, earlier, "the alert says so")))
    found = db.read_now(acme, incident_detail, id_)
    assert (found.incident.onset_at, found.onset_latest, found.onset_by) == (said.at, said.latest, "Bob")


def test_it_refuses_an_impossible_onset(db: Database, acme: UUID) -> None:
    id_ = db.write_now(acme, open_incident, report())
    moment = now()
    later = moment + timedelta(hours=1)
    for onset in (Onset(moment, later, later, ""), Onset(later, later, later, "")):
        with pytest.raises(Invalid):
            db.write_now(acme, act.correct_onset, id_, onset, "Bob")


def test_it_merges_duplicates(db: Database, acme: UUID, shop: UUID) -> None:
    cart = db.write_now(acme, _service, "cart")
    one = db.write_now(acme, open_incident, report(service_ids=(shop,), environments=("production",)))
    earlier = now() - timedelta(hours=2)
    two = db.write_now(
        acme,
        open_incident,
        report(service_ids=(cart,), severity=Severity.CRITICAL, onset=Onset(earlier, earlier, earlier, "the log says so")),
    )
    db.write_now(acme, act.merge, two, one, "Bob")
    into, merged = (db.read_now(acme, incident_detail, id_) for id_ in (one, two))
    assert {name for _, name in into.incident.services} == {"shop", "cart"}
    assert (into.incident.severity, into.incident.onset_at) == ("critical", earlier)
    assert merged.incident.status == "resolved" and merged.into is not None and merged.into.id == str(one)
    assert [i.id for i in into.merged] == [str(two)]
    assert [i.id for i in db.read_now(acme, list_incidents).incidents] == [str(one)]
    for again in ((two, one), (one, one)):
        with pytest.raises(Conflict):
            db.write_now(acme, act.merge, *again, "Bob")
    with pytest.raises(Conflict, match="merged"):
        db.write_now(acme, act.reopen, two, "Bob")


def test_it_notes_what_a_person_changed(db: Database, acme: UUID, shop: UUID) -> None:
    id_ = db.write_now(acme, open_incident, report())
    draft = IncidentDraft.checked(title="Cart is empty", severity="warning", service_ids=[shop], environments=[" production "])
    db.write_now(acme, act.edit, id_, draft, "Bob")
    db.write_now(acme, act.edit, id_, replace(draft, severity="info"), "Bob")
    db.write_now(acme, act.edit, id_, replace(draft, severity="info"), "Bob")
    db.write_now(acme, act.set_symptom, id_, Symptom(stack_trace='  File "cart/total.py", line 3, in total'), "Bob")
    db.write_now(acme, act.add_note, id_, "  looking ", "Vera")
    found = db.read_now(acme, incident_detail, id_)
    assert [(e.kind, e.text) for e in found.entries[1:]] == [
        ("edited", "title, severity, what it affects"),
        ("edited", "severity info"),
        ("symptom", "stack trace"),
        ("note", "looking"),
    ]
    assert found.recognised.files == ("cart/total.py",)
    assert [e.who for e in found.entries[-1:]] == ["Vera"]


def test_it_refuses_words_that_are_none() -> None:
    with pytest.raises(Invalid) as refused:
        IncidentDraft.checked(title=" ", severity="awful", description="x" * 20_001)
    assert set(refused.value.fields) == {"title", "severity", "description"}


def test_it_filters(db: Database, acme: UUID, shop: UUID) -> None:
    one = db.write_now(
        acme, open_incident, report(service_ids=(shop,), environments=("production",), title="Payments time out")
    )
    two = db.write_now(acme, open_incident, report(severity=Severity.INFO, symptom=Symptom(error_message="100% wrong_total")))
    db.write_now(acme, act.resolve, two, "Bob")
    cases: list[tuple[IncidentFilters, set[UUID]]] = [
        (IncidentFilters(), {one, two}),
        (IncidentFilters(services=(shop,)), {one}),
        (IncidentFilters(environments=("production",)), {one}),
        (IncidentFilters(statuses=("resolved",)), {two}),
        (IncidentFilters(severities=("info", "error")), {one, two}),
        (IncidentFilters(text="TIME OUT"), {one}),
        (IncidentFilters(text="100% wrong_"), {two}),
        (IncidentFilters(text="100x"), set()),
        (IncidentFilters(since=now()), set()),
    ]
    for filters, expected in cases:
        assert {UUID(i.id) for i in db.read_now(acme, list_incidents, filters).incidents} == expected, filters
    assert [i.id for i in db.read_now(acme, unresolved)] == [str(one)]
    assert db.read_now(acme, id_of_number, 2) == two


def test_it_pages(db: Database, acme: UUID) -> None:
    ids = [db.write_now(acme, open_incident, report()) for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = db.read_now(acme, list_incidents, IncidentFilters(), cursor, 3)
        seen += [i.id for i in page.incidents]
        if not (cursor := page.next_cursor):
            break
    assert seen == [str(id_) for id_ in reversed(ids)]


def test_it_finds_the_incidents_of_a_span(db: Database, acme: UUID) -> None:
    at = now() - timedelta(days=1)
    hour = timedelta(hours=1)
    over = db.write_now(acme, open_incident, report(onset=Onset(at, at, at, ""), detected_at=at))
    db.write_now(acme, act.resolve, over, "Bob", "", at + hour)
    spans: list[tuple[float, float, bool]] = [
        (-2, -1, False),
        (-1, 0.5, True),
        (0.2, 0.4, True),
        (0.5, 9, True),
        (1.5, 9, False),
    ]
    for start, end, expected in spans:
        found = db.read_now(acme, incidents_between, at + start * hour, at + end * hour, IncidentFilters())
        assert bool(found) is expected, (start, end)


@pytest.mark.parametrize(
    "do", [lambda s, i: act.acknowledge(s, i, "x"), incident_detail, lambda s, i: act.add_note(s, i, "x", "x")]
)
def test_it_shows_an_incident_to_nobody_else(db: Database, acme: UUID, elsewhere: UUID, do: Callable[..., object]) -> None:
    id_ = db.write_now(acme, open_incident, report())
    with pytest.raises(NotFound):
        db.write_now(elsewhere, do, id_)
    assert db.read_now(elsewhere, list_incidents).incidents == ()
    assert db.read_now(elsewhere, id_of_number, 1) is None


def test_it_counts_for_each_organization(db: Database, acme: UUID, elsewhere: UUID, shop: UUID) -> None:
    db.write_now(acme, open_incident, report())
    theirs = db.write_now(elsewhere, open_incident, report(service_ids=(shop,)))
    found = db.read_now(elsewhere, incident_detail, theirs)
    assert found.incident.number == 1
    assert found.incident.services == ()  # a service of another organization is none
