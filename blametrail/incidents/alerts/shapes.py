"""What any source says once it is read: pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from blametrail.incidents.reports import Symptom
from blametrail.incidents.states import Severity


class SourceKind(StrEnum):
    """Who sends; each has an address of its own below /api/alerts."""

    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    SENTRY = "sentry"
    DATADOG = "datadog"
    PAGERDUTY = "pagerduty"
    CLOUDWATCH = "cloudwatch"
    GENERIC = "generic"


class AlertStatus(StrEnum):
    FIRING = "firing"
    RESOLVED = "resolved"


class UnreadableAlert(Exception):
    """A message that is not in the form of its source; `why` says what is wrong with it, in a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that fires or has ended. The same thing has the same fingerprint each time it is told; `starts_at` is None
    where the source does not say, `url` leads to the source's own page."""

    fingerprint: str
    status: AlertStatus
    severity: Severity
    title: str
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    url: str = ""
    symptom: Symptom = field(default_factory=Symptom)
