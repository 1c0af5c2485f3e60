"""Grafana's webhook contact point: grafana.com/docs/grafana/latest, "Configure webhook notifications". It writes as
Alertmanager does, with values and addresses of its own."""

from __future__ import annotations

from typing import Any

from blametrail.incidents.alerts.reading import an_object, objects
from blametrail.incidents.alerts.shapes import Alert
from blametrail.incidents.alerts.sources.alertmanager import read_alert

PAGES = ("panelURL", "dashboardURL", "generatorURL", "silenceURL")


def parse(payload: Any) -> tuple[Alert, ...]:
    """One alert for each of the notification."""
    notification = an_object(payload, "The message")
    alerts = objects(notification.get("alerts"), "alerts")
    return tuple(read_alert(alert, described_by=alert.get("valueString") or "", shown_at=PAGES) for alert in alerts)
