"""Messages in the form of each source, as its vendor describes it, and their signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from blametrail.incidents.alerts.sns import SIGNED

TOPIC = "arn:aws:sns:eu-west-1:210987654321:shop-alarms"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0badc0de.pem"


def rule(name: str = "HighErrorRate", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One alert of Alertmanager or Grafana."""
    named = {"alertname": name, "severity": "critical", **labels}
    return {
        "status": status,
        "labels": named,
        "annotations": {"summary": f"{name} is bad", "description": "Half of all requests fail."},
        "startsAt": "2026-03-04T05:06:07.891Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.internal:9090/graph?g0.expr=up",
        "fingerprint": hashlib.sha256(repr(sorted(named.items())).encode()).hexdigest()[:16],
    }


def alertmanager(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    alerts = list(rules) or [rule()]
    return {"version": "4", "status": "firing", "receiver": "us", "truncatedAlerts": 0, "alerts": alerts, **more}


def grafana(*rules: dict[str, Any]) -> dict[str, Any]:
    alerts = [
        {**one, "values": {"A": 0.5}, "valueString": "[ A=0.5 ]", "panelURL": "https://grafana.internal/d/1?viewPanel=2"}
        for one in rules or (rule(),)
    ]
    return {
        "version": "1",
        "orgId": 1,
        "receiver": "us",
        "status": "firing",
        "state": "alerting",
        "title": "[FIRING:1]",
        "alerts": alerts,
    }


def sentry_event(**more: Any) -> dict[str, Any]:
    frames = [
        {"filename": "shop/views.py", "lineno": 10, "function": "checkout", "context_line": "    pay(cart)"},
        {"filename": "shop/pay.py", "lineno": 42, "function": "pay", "context_line": "    gateway.charge(None)"},
    ]
    event = {
        "title": "TypeError: amount is None",
        "culprit": "shop.pay in pay",
        "level": "fatal",
        "issue_id": "4711",
        "datetime": "2026-03-04T05:06:07.891Z",
        "environment": "production",
        "url": "https://sentry.example.com/api/0/projects/acme/shop/events/1/",
        "web_url": "https://sentry.example.com/organizations/acme/issues/4711/events/1/",
        "tags": [["service", "shop"], ["release", "1.2"]],
        "metadata": {"type": "TypeError", "value": "amount is None"},
        "request": {"url": "https://shop.example.com/checkout"},
        "exception": {"values": [{"type": "TypeError", "value": "amount is None", "stacktrace": {"frames": frames}}]},
        **more,
    }
    return {"action": "triggered", "data": {"event": event, "triggered_rule": "Errors"}, "actor": {"type": "application"}}


def sentry_issue(action: str = "resolved") -> dict[str, Any]:
    issue = {
        "id": "4711",
        "title": "TypeError: amount is None",
        "level": "error",
        "firstSeen": "2025-01-02T03:04:05Z",
        "lastSeen": "2026-03-04T05:06:07Z",
        "project": {"slug": "shop"},
        "metadata": {"type": "TypeError", "value": "amount is None"},
    }
    return {"action": action, "data": {"issue": issue}}


def sentry_metric(action: str = "critical") -> dict[str, Any]:
    metric = {
        "id": "7",
        "projects": ["shop"],
        "date_started": "2026-03-04T05:06:07Z",
        "alert_rule": {"id": 3, "name": "Errors"},
    }
    return {
        "action": action,
        "data": {"metric_alert": metric, "description_title": "Critical: Errors", "description_text": "1000 events"},
    }


def datadog(transition: str = "Triggered", **more: str) -> dict[str, Any]:
    return {
        "key": "abc123",
        "transition": transition,
        "type": "error",
        "priority": "P1",
        "title": "[Triggered] Latency is high",
        "message": "Latency is high",
        "tags": "service:shop,env:staging,monitor",
        "scope": "service:shop",
        "metric": "trace.latency",
        "hostname": "web-1",
        "date": "1772600767000",
        "link": "https://app.datadoghq.com/monitors/1",
        **more,
    }


def pagerduty(kind: str = "incident.triggered", **more: Any) -> dict[str, Any]:
    data = {
        "id": "PT4KHLK",
        "type": "incident",
        "title": "The shop is slow",
        "urgency": "high",
        "priority": {"summary": "P1"},
        "service": {"summary": "shop"},
        "html_url": "https://acme.pagerduty.com/incidents/PT4KHLK",
        **more,
    }
    return {"event": {"id": "E1", "event_type": kind, "occurred_at": "2026-03-04T05:06:07.891Z", "data": data}}


def alarm(state: str = "ALARM", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": "shop-5xx",
        "AlarmDescription": "Too many 5xx",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:210987654321:alarm:shop-5xx",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-03-04T05:06:07.891+0000",
        "Region": "EU (Ireland)",
        "Trigger": {"MetricName": "5XX", "Namespace": "AWS/ELB", "Dimensions": [{"name": "service", "value": "shop"}]},
        **more,
    }


def generic(**more: Any) -> dict[str, Any]:
    return {"title": "The queue grows", "severity": "error", "service": "shop", "labels": {"queue": "mail"}, **more}


ALL: dict[str, list[dict[str, Any]]] = {
    "alertmanager": [alertmanager()],
    "grafana": [grafana()],
    "sentry": [sentry_event(), sentry_issue(), sentry_metric()],
    "datadog": [datadog()],
    "pagerduty": [pagerduty()],
    "cloudwatch": [{"Type": "Notification", "TopicArn": TOPIC, "Message": json.dumps(alarm())}, alarm()],
    "generic": [generic(), {"alerts": [generic()]}],
}


def hmac_of(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(*, is_old: bool = False) -> str:
    """One for the key, in the form in which Amazon gives it out."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime.now(UTC) - timedelta(days=30 if is_old else 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key().public_key()).serial_number(1)
    made = made.not_valid_before(begin).not_valid_after(begin + timedelta(days=10))
    return made.sign(key(), SHA256()).public_bytes(Encoding.PEM).decode()


def sns_message(kind: str = "Notification", *, version: str = "2", signs: Any = None, **more: Any) -> bytes:
    """A signed message of SNS."""
    message: dict[str, Any] = {
        "Type": kind,
        "MessageId": "1",
        "TopicArn": TOPIC,
        "Message": json.dumps(alarm()) if kind == "Notification" else "You have chosen to subscribe",
        "Timestamp": "2026-03-04T05:06:07.891Z",
        "SigningCertURL": CERTIFICATE_URL,
        "SignatureVersion": version,
        **(
            {}
            if kind == "Notification"
            else {"Token": "t0ken", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"}
        ),
        **more,
    }
    content = "".join(f"{name}\n{message[name]}\n" for name in SIGNED[kind] if name in message)
    hashed = SHA1() if version == "1" else SHA256()
    message["Signature"] = base64.b64encode((signs or key()).sign(content.encode(), PKCS1v15(), hashed)).decode()
    return json.dumps(message).encode()
