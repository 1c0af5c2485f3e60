"""How each vendor is told to send its alerts here, ready to paste; `$TOKEN` stands for the source's token."""

from __future__ import annotations

from dataclasses import dataclass

from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.sources import datadog


@dataclass(frozen=True, slots=True)
class Snippet:
    """`hint` says in a sentence where the text goes."""

    kind: SourceKind
    title: str
    hint: str
    text: str


def snippets(server_url: str) -> tuple[Snippet, ...]:
    """One for each vendor, with the server's address filled in."""
    return tuple(
        Snippet(
            kind, TITLES[kind], hint, text.replace("$URL", address_of(server_url, kind)).replace("$HOST", _host(server_url))
        )
        for kind, (hint, text) in _TEXTS.items()
    )


def address_of(server_url: str, kind: SourceKind) -> str:
    """Where alerts of a kind are posted."""
    return f"{server_url.rstrip('/')}/api/alerts/{kind}"


TITLES = {
    SourceKind.ALERTMANAGER: "Alertmanager",
    SourceKind.GRAFANA: "Grafana",
    SourceKind.SENTRY: "Sentry",
    SourceKind.DATADOG: "Datadog",
    SourceKind.PAGERDUTY: "PagerDuty",
    SourceKind.CLOUDWATCH: "CloudWatch",
    SourceKind.GENERIC: "Anything else",
}

_TEXTS: dict[SourceKind, tuple[str, str]] = {
    SourceKind.ALERTMANAGER: (
        "A receiver in alertmanager.yml, named in its route. It has no header for tokens, so the token goes as Bearer.",
        """receivers:
  - name: blametrail
    webhook_configs:
      - url: $URL
        send_resolved: true
        http_config:
          authorization:
            type: Bearer
            credentials: $TOKEN
""",
    ),
    SourceKind.GRAFANA: (
        "Alerting, Contact points, Add: Webhook. Either the token below, or the HMAC secret that you also set here.",
        """URL: $URL
HTTP Method: POST
Authorization Header - Scheme: Bearer
Authorization Header - Credentials: $TOKEN

or, instead of the token, HMAC Signature:
Secret: the one that is set here
Header: X-Grafana-Alerting-Signature
Timestamp Header: X-Grafana-Alerting-Timestamp
""",
    ),
    SourceKind.SENTRY: (
        "Settings, Custom Integrations, new internal integration. Sentry signs: set its Client Secret here as the vendor's secret.",
        """Webhook URL: $URL
Alert Rule Action: on
Permissions: Issue & Event, Read
Webhooks: issue
Then, in each alert rule: Send a notification via this integration
""",
    ),
    SourceKind.DATADOG: (
        "Integrations, Webhooks, New. Then add @webhook-blametrail to the message of each monitor.",
        f"""Name: blametrail
URL: $URL
Custom Headers: {{"X-Alert-Token": "$TOKEN"}}
Payload:
{datadog.TEMPLATE}
""",
    ),
    SourceKind.PAGERDUTY: (
        "Integrations, Generic Webhooks (v3), New Webhook. PagerDuty signs: set the secret that it shows once here; or send the token.",
        """Webhook URL: $URL
Events: incident.triggered, incident.reopened, incident.resolved
Custom Header, if you do not use the secret: X-Alert-Token: $TOKEN
""",
    ),
    SourceKind.CLOUDWATCH: (
        "An SNS topic for the alarms' ALARM and OK actions, with this as its HTTPS subscription. Or leave the token out, and set "
        "the topic's ARN here: then the signature of SNS counts. The subscription is confirmed by itself.",
        """Protocol: HTTPS
Endpoint: https://alerts:$TOKEN@$HOST/api/alerts/cloudwatch
Raw message delivery: off
""",
    ),
    SourceKind.GENERIC: (
        "Whatever can post JSON. Send the same again with the status resolved when it is over.",
        """curl -sS -m 10 -H "Content-Type: application/json" -H "X-Alert-Token: $TOKEN" $URL -d '{
  "title": "The queue grows",
  "status": "firing",
  "severity": "error",
  "service": "checkout",
  "labels": {"queue": "mail"},
  "error_message": "No room left",
  "url": "https://example.com/queues"
}'
""",
    ),
}


def _host(server_url: str) -> str:
    return server_url.rstrip("/").partition("://")[2]
