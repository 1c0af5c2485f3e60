"""One module for each source: how it writes an alert, and nothing of what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blametrail.incidents.alerts.reading import decode
from blametrail.incidents.alerts.shapes import Alert, SourceKind, UnreadableAlert
from blametrail.incidents.alerts.sources import alertmanager, cloudwatch, datadog, generic, grafana, pagerduty, sentry

PARSERS: dict[SourceKind, Callable[[Any], tuple[Alert, ...]]] = {
    SourceKind.ALERTMANAGER: alertmanager.parse,
    SourceKind.GRAFANA: grafana.parse,
    SourceKind.SENTRY: sentry.parse,
    SourceKind.DATADOG: datadog.parse,
    SourceKind.PAGERDUTY: pagerduty.parse,
    SourceKind.CLOUDWATCH: cloudwatch.parse,
    SourceKind.GENERIC: generic.parse,
}
MOST_ALERTS = 1_000


def read_alerts(kind: SourceKind, body: bytes) -> tuple[Alert, ...]:
    """The alerts of a message, none when it tells of something else; raises UnreadableAlert."""
    alerts = PARSERS[kind](decode(body))
    if len(alerts) > MOST_ALERTS:
        raise UnreadableAlert(
            f"There are {len(alerts):,} alerts in one message, more than {MOST_ALERTS:,}. Send fewer at once."
        )
    return alerts
