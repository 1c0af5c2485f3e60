"""What each source's messages say, and that none of them can break a parser."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blametrail.incidents.alerts import samples
from blametrail.incidents.alerts.receive import read_message
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, SourceKind, UnreadableAlert
from blametrail.incidents.alerts.sources import PARSERS, datadog, read_alerts
from blametrail.incidents.states import Severity
from tests.incidents.alerts import payloads

BEGAN = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.just("9999-12-31T23:59:59-23:59")
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=6,
)


def only(kind: SourceKind, payload: Any) -> Alert:
    (alert,) = PARSERS[kind](payload)
    return alert


@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
def test_it_reads_every_rule_of_a_group(kind: str) -> None:
    ended = payloads.rule("Slow", "resolved", severity="warning", job="shop", handler="/pay")
    first, second = PARSERS[SourceKind(kind)](getattr(payloads, kind)(payloads.rule(service="shop"), ended))
    assert (first.status, first.severity, first.title) == (AlertStatus.FIRING, Severity.CRITICAL, "HighErrorRate is bad")
    assert first.starts_at == BEGAN and first.labels["service"] == "shop" and first.description == "Half of all requests fail."
    assert (second.status, second.severity, second.symptom.endpoint) == (AlertStatus.RESOLVED, Severity.WARNING, "/pay")
    assert first.fingerprint != second.fingerprint and first.url.startswith("http")


def test_it_takes_a_stack_trace_out_of_a_description() -> None:
    told = payloads.rule()
    told["annotations"]["description"] = (
        'It broke:\nTraceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1'
    )
    alert = only(SourceKind.ALERTMANAGER, payloads.alertmanager(told))
    assert alert.symptom.stack_trace.startswith("Traceback") and alert.symptom.stack_trace.endswith("KeyError: 1")


def test_it_knows_an_alert_again_without_a_fingerprint_of_its_own() -> None:
    told = [payloads.rule(service="shop") for _ in range(2)] + [payloads.rule(service="web")]
    for one in told:
        del one["fingerprint"]
    same, again, other = PARSERS[SourceKind.ALERTMANAGER](payloads.alertmanager(*told))
    assert same.fingerprint == again.fingerprint != other.fingerprint


def test_it_reads_an_event_of_sentry_with_its_trace() -> None:
    alert = only(SourceKind.SENTRY, payloads.sentry_event())
    assert (alert.fingerprint, alert.severity, alert.starts_at) == ("issue 4711", Severity.CRITICAL, BEGAN)
    assert alert.labels["project"] == "shop" and alert.labels["environment"] == "production"
    assert alert.symptom.error_message == "TypeError: amount is None"
    assert alert.symptom.endpoint == "https://shop.example.com/checkout"
    assert alert.symptom.stack_trace.splitlines() == [
        "Traceback (most recent call last):",
        '  File "shop/views.py", line 10, in checkout',
        "    pay(cart)",
        '  File "shop/pay.py", line 42, in pay',
        "    gateway.charge(None)",
        "TypeError: amount is None",
    ]


def test_it_ends_with_the_issue_what_an_event_of_sentry_began() -> None:
    event = only(SourceKind.SENTRY, payloads.sentry_event())
    ended = only(SourceKind.SENTRY, payloads.sentry_issue("resolved"))
    assert ended.fingerprint == event.fingerprint and ended.status is AlertStatus.RESOLVED
    back = only(SourceKind.SENTRY, payloads.sentry_issue("unresolved"))
    assert back.status is AlertStatus.FIRING and back.starts_at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert PARSERS[SourceKind.SENTRY](payloads.sentry_issue("assigned")) == ()


@pytest.mark.parametrize(
    ("action", "status", "severity"),
    [("critical", "firing", "critical"), ("warning", "firing", "warning"), ("resolved", "resolved", "error")],
)
def test_it_reads_a_metric_alert_of_sentry(action: str, status: str, severity: str) -> None:
    alert = only(SourceKind.SENTRY, payloads.sentry_metric(action))
    assert (alert.fingerprint, alert.status, alert.severity) == ("metric 3", status, severity)


@pytest.mark.parametrize(
    ("transition", "priority", "status", "severity"),
    [
        ("Triggered", "P1", "firing", "critical"),
        ("Re-Triggered", "P3", "firing", "warning"),
        ("Warn", "P1", "firing", "warning"),
        ("No Data", "", "firing", "error"),
        ("Recovered", "P1", "resolved", "critical"),
    ],
)
def test_it_reads_each_transition_of_datadog(transition: str, priority: str, status: str, severity: str) -> None:
    alert = only(SourceKind.DATADOG, payloads.datadog(transition, priority=priority))
    assert (alert.fingerprint, alert.status, alert.severity) == ("abc123", status, severity)
    assert alert.labels["service"] == "shop" and alert.labels["env"] == "staging" and alert.starts_at is not None


def test_it_reads_all_that_its_template_for_datadog_has() -> None:
    assert set(json.loads(datadog.TEMPLATE)) == set(payloads.datadog())


def test_it_reads_what_begins_and_ends_at_pagerduty() -> None:
    began, ended = (
        only(SourceKind.PAGERDUTY, payloads.pagerduty()),
        only(SourceKind.PAGERDUTY, payloads.pagerduty("incident.resolved")),
    )
    assert (began.fingerprint, began.severity, began.labels["service"]) == ("PT4KHLK", Severity.CRITICAL, "shop")
    assert ended.fingerprint == began.fingerprint and ended.status is AlertStatus.RESOLVED
    for other in ("incident.annotated", "incident.acknowledged", "pagey.ping", "service.created"):
        assert PARSERS[SourceKind.PAGERDUTY](payloads.pagerduty(other)) == ()


def test_it_reads_an_alarm_in_a_notification_and_alone() -> None:
    wrapped, alone = (only(SourceKind.CLOUDWATCH, payload) for payload in payloads.ALL["cloudwatch"])
    assert wrapped == alone
    assert (wrapped.title, wrapped.starts_at, wrapped.labels["service"]) == ("shop-5xx", BEGAN, "shop")
    assert only(SourceKind.CLOUDWATCH, payloads.alarm("OK")).status is AlertStatus.RESOLVED
    assert PARSERS[SourceKind.CLOUDWATCH](payloads.alarm("INSUFFICIENT_DATA")) == ()
    assert PARSERS[SourceKind.CLOUDWATCH](json.loads(payloads.sns_message("SubscriptionConfirmation"))) == ()


def test_it_reads_our_own_form() -> None:
    alert = only(SourceKind.GENERIC, payloads.generic(error_message="no room", stack_trace="at f (a.js:1:2)", endpoint="/mail"))
    assert alert.labels == {"queue": "mail", "service": "shop"} and alert.status is AlertStatus.FIRING
    assert (alert.symptom.error_message, alert.symptom.stack_trace, alert.symptom.endpoint) == (
        "no room",
        "at f (a.js:1:2)",
        "/mail",
    )
    assert only(SourceKind.GENERIC, {"title": "x"}).severity is Severity.ERROR
    assert only(SourceKind.GENERIC, {"title": "x", "fingerprint": 7}).fingerprint == "7"


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("alertmanager", {"version": "5", "alerts": []}),
        ("alertmanager", {"version": "4"}),
        ("alertmanager", payloads.alertmanager({"status": "suppressed", "labels": {}})),
        ("grafana", {"alerts": {}}),
        ("sentry", {"data": {}}),
        ("sentry", {"action": "critical", "data": {"metric_alert": {}}}),
        ("datadog", {"title": "$EVENT_TITLE"}),
        ("datadog", payloads.datadog("Exploded")),
        ("pagerduty", {"messages": []}),
        ("cloudwatch", {"Type": "Notification", "Message": "hello"}),
        ("cloudwatch", {"Type": "Other"}),
        ("generic", {"labels": {}}),
        ("generic", {"alerts": [payloads.generic(), "x"]}),
        ("generic", {"alerts": [payloads.generic(fingerprint=str(n)) for n in range(1_001)]}),
    ],
)
def test_it_says_what_is_wrong_with_another_form(kind: str, payload: Any) -> None:
    with pytest.raises(UnreadableAlert) as caught:
        read_alerts(SourceKind(kind), json.dumps(payload).encode())
    assert caught.value.why.endswith(".")


def test_it_reads_the_sample_of_every_source() -> None:
    assert set(samples.SAMPLES) == set(SourceKind) == set(PARSERS)
    for kind, sample in samples.SAMPLES.items():
        assert only(kind, sample).labels["service"] == "checkout"


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(list(SourceKind)), value=VALUES, data=st.data())
def test_it_survives_any_value_in_any_place(kind: SourceKind, value: Any, data: st.DataObject) -> None:
    payload = json.loads(json.dumps(data.draw(st.sampled_from(payloads.ALL[kind]))))
    inside = payload
    while True:  # walk down to some place
        steps = sorted(inside) if isinstance(inside, dict) else list(range(len(inside)))
        step = data.draw(st.sampled_from(steps))
        if not isinstance(inside[step], dict | list) or not inside[step] or data.draw(st.booleans()):
            inside[step] = value
            break
        inside = inside[step]
    check(kind, json.dumps(payload).encode())
    if kind is SourceKind.CLOUDWATCH and isinstance(value, dict):
        check(kind, json.dumps({"Type": "Notification", "Message": json.dumps(value | {"AlarmName": "x"})}).encode())


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(list(SourceKind)), body=st.binary(max_size=200) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_it_survives_any_bytes(kind: SourceKind, body: bytes) -> None:
    check(kind, body)


@pytest.mark.parametrize("body", [b"", b"[" * 200_000, b"1" * 5_000, b'{"title": "\\ud800", "starts_at": 1e400}', b'"\\u0000"'])
def test_it_survives_what_no_parser_likes(body: bytes) -> None:
    for kind in SourceKind:
        check(kind, body)


def check(kind: SourceKind, body: bytes) -> None:
    """What comes out can be kept by any database and shown to people."""
    message = read_message(kind, body)
    assert bool(message.unreadable) or isinstance(message.alerts, tuple)
    message.payload.encode()
    assert "\0" not in message.payload
    for alert in message.alerts:
        texts = [alert.title, alert.description, alert.fingerprint, alert.url, *alert.labels, *alert.labels.values()]
        texts += [alert.symptom.error_message, alert.symptom.stack_trace, alert.symptom.endpoint]
        assert alert.title and 0 < len(alert.fingerprint) <= 200
        for text in texts:
            assert "\0" not in text
            text.encode()
        if alert.starts_at is not None:
            assert alert.starts_at.tzinfo is not None and math.isfinite(alert.starts_at.timestamp())


def test_it_masks_secrets_before_anything_is_kept() -> None:
    token = "glpat-Canary0Canary0Canary0"
    body = json.dumps(payloads.generic(description=f"with {token}", labels={"password": "hunter2-canary", "x": token})).encode()
    message = read_message(SourceKind.GENERIC, body)
    assert token not in repr(message) and "hunter2-canary" not in repr(message)
