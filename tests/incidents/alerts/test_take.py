"""What alerts do to incidents: they open, join and end them, each once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select

from blametrail.accounts.roles import Role
from blametrail.incidents.act import resolve
from blametrail.incidents.alerts import connect, deliveries, mappings, silence
from blametrail.incidents.alerts.tables import AlertDelivery, AlertSource, AlertState
from blametrail.incidents.alerts.take import Result
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report
from blametrail.incidents.states import IncidentType, Severity
from blametrail.incidents.tables import Incident
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import Conflict, Invalid, NotAllowed, NotFound, NotSignedIn
from tests.enriching import KEYS
from tests.incidents.alerts import payloads
from tests.incidents.alerts.conftest import Inbox


def told(fingerprint: str = "a", **more: Any) -> dict[str, Any]:
    return payloads.generic(fingerprint=fingerprint, **more)


@pytest.mark.parametrize(
    ("severity", "needed"), [("critical", 1), ("error", 1), ("warning", 2), ("info", 3), ("unheard of", 1)]
)
def test_it_opens_an_incident_when_told_often_enough(inbox: Inbox, severity: str, needed: int) -> None:
    source = inbox.source()
    results = [inbox.send(source, told(severity=severity)).result for _ in range(needed + 2)]
    assert results == [*[Result.COUNTED] * (needed - 1), Result.OPENED, Result.ABSORBED, Result.ABSORBED]
    (incident,) = inbox.incidents()
    assert incident.origin == f"alert:{source}:a" and incident.type == "generic"
    assert inbox.services_of(incident.id) == {inbox.services["shop"]}
    assert inbox.entries(incident.id) == ["opened"]


def test_it_keeps_what_the_alert_says_as_symptom_and_onset(inbox: Inbox) -> None:
    source = inbox.source()
    began = (now() - timedelta(minutes=7)).isoformat()
    inbox.send(source, told(error_message="no room", stack_trace="at f", endpoint="/mail", starts_at=began))
    (incident,) = inbox.incidents()
    assert (incident.error_message, incident.stack_trace, incident.endpoint) == ("no room", "at f", "/mail")
    assert incident.onset_at.isoformat() == began and incident.onset_earliest < incident.onset_at <= incident.onset_latest


@pytest.mark.parametrize("starts_at", ["2999-01-01T00:00:00Z", None, "0001-01-01T00:00:00Z"])
def test_it_lets_no_onset_lie_after_the_alert(inbox: Inbox, starts_at: str | None) -> None:
    inbox.send(inbox.source(), told(starts_at=starts_at))
    (incident,) = inbox.incidents()
    assert incident.onset_at <= incident.detected_at <= now()


def test_it_lets_an_open_incident_of_the_service_absorb_other_alerts_at_once(inbox: Inbox) -> None:
    source, other = inbox.source(), inbox.source()
    inbox.send(source, told("a"))
    received = [inbox.send(source, told("b", severity="warning")), inbox.send(other, told("a", severity="info"))]
    assert [one.result for one in received] == [Result.ABSORBED] * 2
    assert inbox.send(source, told("c", service="web")).result == Result.OPENED
    first, second = inbox.incidents()
    assert (len(inbox.entries(first.id)), len(inbox.entries(second.id))) == (3, 1)


def test_it_makes_an_incident_worse_but_never_milder(inbox: Inbox) -> None:
    source = inbox.source()
    for severity in ("error", "critical", "info"):
        inbox.send(source, told(severity=severity))
    (incident,) = inbox.incidents()
    assert incident.severity == Severity.CRITICAL


def test_it_resolves_when_the_last_of_its_alerts_ends(inbox: Inbox) -> None:
    source, other = inbox.source(), inbox.source()
    for where, fingerprint in ((source, "a"), (source, "b"), (other, "a")):
        inbox.send(where, told(fingerprint))
    results = [
        inbox.send(where, told(f, status="resolved")).result for where, f in ((source, "a"), (source, "a"), (source, "b"))
    ]
    assert results == [Result.NOTED] * 3 and inbox.incidents()[0].resolved_at is None
    assert inbox.send(other, told("a", status="resolved")).result == Result.RESOLVED
    (incident,) = inbox.incidents()
    assert incident.status == "resolved" and incident.resolved_by == "generic generic 1"


def test_it_opens_another_incident_when_it_begins_again(inbox: Inbox) -> None:
    source = inbox.source()
    for status in ("firing", "resolved", "firing"):
        inbox.send(source, told(status=status))
    assert [one.status for one in inbox.incidents()] == ["resolved", "open"]
    inbox.send(source, told("w", service="web", severity="warning"))
    inbox.send(source, told("w", service="web", status="resolved"))
    assert inbox.send(source, told("w", service="web", severity="warning")).result == Result.COUNTED  # counted anew


def test_it_opens_another_incident_when_a_person_resolved_what_still_fires(inbox: Inbox) -> None:
    source = inbox.source()
    inbox.send(source, told())
    inbox.db.write_now(inbox.owner.organization_id, resolve, inbox.incidents()[0].id, "Alice")
    assert inbox.send(source, told()).result == Result.OPENED
    assert [one.status for one in inbox.incidents()] == ["resolved", "open"]


def test_it_ends_no_incident_that_a_person_opened(inbox: Inbox) -> None:
    source, at = inbox.source(), now()
    by_hand = Report(
        IncidentType.MANUAL, Severity.ERROR, "It is slow", Onset(at, at, at, "Alice says so"), at, "Alice",
        service_ids=(inbox.services["shop"],),
    )  # fmt: skip
    incident_id = inbox.db.write_now(inbox.owner.organization_id, open_incident, by_hand)
    assert inbox.send(source, told()).result == Result.ABSORBED
    assert inbox.send(source, told(status="resolved")).result == Result.NOTED
    assert inbox.incidents()[0].status == "open" and inbox.entries(incident_id) == ["opened", "told", "told"]


def test_it_acts_on_every_alert_of_a_message(inbox: Inbox) -> None:
    source = inbox.source("alertmanager")
    group = [payloads.rule(f"Rule{n}", service="shop") for n in range(600)]
    received = inbox.send(source, payloads.alertmanager(*group, payloads.rule("Other", service="web")), "alertmanager")
    assert received.result == Result.OPENED
    assert "Opened: Rule0 is bad and 1 more" in received.reason and "Absorbed: Rule1 is bad and 598 more" in received.reason
    assert inbox.entries(inbox.incidents()[0].id) == ["opened", "told"]
    assert len(inbox.rows(AlertState)) == 601 and len(inbox.incidents()) == 2
    ended = [{**one, "status": "resolved"} for one in group]
    inbox.send(source, payloads.alertmanager(*ended), "alertmanager")
    assert [one.status for one in inbox.incidents()] == ["resolved", "open"]


def test_it_keeps_and_shows_what_belongs_to_no_service(inbox: Inbox) -> None:
    source, scope = inbox.source(), inbox.owner.organization_id
    received = inbox.send(source, told(service="", labels={"team": "payments"}))
    assert received.result == Result.UNMAPPED and not inbox.incidents()
    (shown,) = inbox.db.read_now(scope, deliveries.list_unmapped)
    assert (shown.title, shown.labels) == ("The queue grows", "team=payments")
    inbox.db.write_now(scope, mappings.add_mapping, inbox.owner, "team=pay*", inbox.services["web"], "staging")
    replayed = inbox.db.write_now(scope, deliveries.replay, KEYS, inbox.owner, received.delivery_id)
    assert replayed == Result.OPENED and inbox.services_of(inbox.incidents()[0].id) == {inbox.services["web"]}
    assert not inbox.db.read_now(scope, deliveries.list_unmapped)


def test_it_opens_incidents_of_no_service_where_the_source_says_so(inbox: Inbox) -> None:
    source = inbox.source(opens_unmapped=True)
    for fingerprint in ("a", "b", "a"):
        inbox.send(source, told(fingerprint, service=""))
    assert len(inbox.incidents()) == 2 and not inbox.services_of(inbox.incidents()[0].id)


def test_it_takes_the_service_of_the_source_first(inbox: Inbox) -> None:
    source = inbox.source(service_id=inbox.services["web"], environment="staging")
    inbox.send(source, told(service="shop"))
    assert inbox.services_of(inbox.incidents()[0].id) == {inbox.services["web"]}


def test_it_keeps_what_it_cannot_read_and_reads_it_again_when_asked(inbox: Inbox) -> None:
    source, scope = inbox.source(), inbox.owner.organization_id
    received = inbox.send(source, b"not json\0 at all, ghp_CanaryCanaryCanaryCanary01")
    assert received.result == Result.UNREADABLE and received.reason == "The body is no JSON."
    (row,) = inbox.rows(AlertDelivery)
    assert "not json" in row.payload and "Canary" not in row.payload

    def mend(session: ScopedSession) -> None:
        kept = session.exec(select(AlertDelivery)).one()
        kept.payload = '{"title": "readable now", "service": "shop"}'
        session.add(kept)

    inbox.db.write_now(scope, mend)
    assert inbox.db.write_now(scope, deliveries.replay, KEYS, inbox.owner, row.id) == Result.OPENED
    assert inbox.rows(AlertDelivery)[0].result == "opened"


async def test_it_closes_what_nobody_told_of_for_a_day(inbox: Inbox) -> None:
    source = inbox.source()
    inbox.send(source, told("a"))
    inbox.send(source, told("b", service="web"))
    inbox.send(source, told("c", service="", severity="info"))

    def age(session: ScopedSession, hours: float) -> None:
        incident = session.exec(select(Incident).order_by(col(Incident.number))).first()
        assert incident is not None
        incident.last_told_at = now() - timedelta(hours=hours)
        for state in session.exec(select(AlertState).where(AlertState.fingerprint != "b")):
            state.last_seen_at = incident.last_told_at
            session.add(state)
        session.add(incident)

    inbox.db.write_now(inbox.owner.organization_id, age, 23.9)
    await silence.close_silent(inbox.db)
    assert [one.status for one in inbox.incidents()] == ["open", "open"]
    inbox.db.write_now(inbox.owner.organization_id, age, 24.1)
    await silence.close_silent(inbox.db)
    assert [(one.status, one.resolved_by) for one in inbox.incidents()] == [("resolved", "BlameTrail"), ("open", "")]
    assert {one.fingerprint: one.status for one in inbox.rows(AlertState)} == {"a": "resolved", "b": "firing", "c": "resolved"}


def test_it_says_what_a_test_would_do_and_changes_nothing_else(inbox: Inbox) -> None:
    scope = inbox.owner.organization_id
    for kind in ("alertmanager", "grafana", "sentry", "datadog", "pagerduty", "cloudwatch", "generic"):
        source = inbox.source(kind)
        assert "kept as unmapped" in inbox.db.write_now(scope, deliveries.send_test, inbox.owner, source)
    mapped = inbox.source(service_id=inbox.services["web"])
    assert "of web in production" in inbox.db.write_now(scope, deliveries.send_test, inbox.owner, mapped)
    assert not inbox.incidents() and not inbox.rows(AlertState) and len(inbox.rows(AlertDelivery)) == 8
    with pytest.raises(Conflict):
        inbox.db.write_now(scope, deliveries.replay, KEYS, inbox.owner, inbox.rows(AlertDelivery)[0].id)


def test_it_takes_the_new_token_only_once_it_is_rotated(inbox: Inbox) -> None:
    source, scope = inbox.source(), inbox.owner.organization_id
    old = inbox.tokens[source]
    inbox.tokens[source] = inbox.db.write_now(scope, connect.rotate_token, KEYS, inbox.owner, source)
    assert isinstance(inbox.post(old, b"{}"), NotSignedIn)
    assert inbox.send(source, told()).result == Result.OPENED
    (row,) = inbox.rows(AlertSource)
    assert old not in repr(row) and inbox.tokens[source] not in repr(row) and row.token_start == inbox.tokens[source][:8]
    inbox.db.write_now(scope, connect.drop_source, inbox.owner, source)
    assert isinstance(inbox.post(inbox.tokens[source], b"{}"), NotSignedIn)
    assert not inbox.rows(AlertDelivery) and len(inbox.incidents()) == 1


def test_it_tells_whose_token_it_is_at_the_wrong_address(inbox: Inbox) -> None:
    refused = inbox.post(inbox.tokens[inbox.source("grafana")], b"{}", "generic")
    assert isinstance(refused, NotSignedIn) and "/api/alerts/grafana" in refused.message


def test_it_refuses_drafts_that_make_no_sense(inbox: Inbox) -> None:
    inbox.source(name="Prod")
    for wrong in (
        {"name": " prod "},
        {"kind": "nagios"},
        {"secret": "long enough"},
        {"kind": "sentry", "secret": "short"},
        {"kind": "cloudwatch", "secret": "not an arn"},
    ):
        with pytest.raises(Invalid):
            inbox.source(**{"kind": "generic", **wrong})
    with pytest.raises(NotFound):
        inbox.source(service_id=UUID(int=1))
    viewer = type(inbox.owner)(
        **{name: getattr(inbox.owner, name) for name in inbox.owner.__slots__} | {"role": Role.RESPONDER}
    )
    with pytest.raises(NotAllowed):
        inbox.db.write_now(inbox.owner.organization_id, connect.drop_source, viewer, UUID(int=1))
    with pytest.raises(NotAllowed):
        inbox.db.write_now(inbox.owner.organization_id, deliveries.replay, KEYS, viewer, UUID(int=1))
