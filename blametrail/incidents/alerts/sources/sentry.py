"""Sentry's integration webhooks: docs.sentry.io/integrations/integration-platform/webhooks, pages "Issue Alerts", "Metric
Alerts", "Issues" and "Errors". Frames of a stack trace come oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blametrail.incidents.alerts.reading import (
    an_object,
    fingerprint_of,
    labels_of,
    line,
    link,
    moment,
    part,
    severity_of,
    symptom_of,
    text,
)
from blametrail.incidents.alerts.shapes import Alert, AlertStatus, UnreadableAlert
from blametrail.incidents.states import Severity

ENDED = frozenset({"resolved", "archived", "ignored"})
BEGUN = frozenset({"created", "unresolved", "escalating"})
MOST_FRAMES = 100


def parse(payload: Any) -> tuple[Alert, ...]:
    """What an alert rule, a metric or an issue says; nothing for comments, installations and assignments."""
    message = an_object(payload, "The message")
    data = an_object(message.get("data"), "data")
    action = text(message.get("action"))
    if not action:
        raise UnreadableAlert("There is no action.")
    if "metric_alert" in data:
        return (_metric(action, data),)
    if "event" in data or "error" in data:
        return (_event(an_object(data.get("event", data.get("error")), "The event"), line(data.get("triggered_rule"))),)
    if "issue" in data:
        return _issue(action, an_object(data["issue"], "issue"))
    return ()


def _event(event: Mapping[str, Any], rule: str) -> Alert:
    tags = event.get("tags")
    pairs = [(p[0], p[1]) for p in tags if isinstance(p, list) and len(p) == 2] if isinstance(tags, list) else []
    labels = labels_of([*pairs, ("project", _project(event)), ("rule", rule), ("environment", event.get("environment"))])
    title = line(event.get("title"), part(event, "metadata", "title"), event.get("message"))
    issue = text(event.get("issue_id")) or text(event.get("issue_url")).rstrip("/").rpartition("/")[2]
    if not issue and not title:
        raise UnreadableAlert("The event names neither an issue nor a title.")
    return Alert(
        fingerprint=fingerprint_of(f"issue {issue}") if issue else fingerprint_of("event", title, text(event.get("culprit"))),
        status=AlertStatus.FIRING,
        severity=severity_of(event.get("level"), labels.get("level")),
        title=title or f"Issue {issue}",
        description=text(event.get("culprit")),
        labels=labels,
        starts_at=moment(event.get("datetime")) or moment(event.get("timestamp")),
        url=link(event.get("web_url"), event.get("issue_url")),
        symptom=symptom_of(
            error=_error(event),
            trace=_trace(event),
            endpoint=line(
                part(event, "request", "url"), labels.get("url"), labels.get("transaction"), event.get("transaction")
            ),
        ),
    )


def _issue(action: str, issue: Mapping[str, Any]) -> tuple[Alert, ...]:
    if action not in ENDED | BEGUN:
        return ()
    if not (id_ := text(issue.get("id"))):
        raise UnreadableAlert("The issue has no id.")
    kind, value = text(part(issue, "metadata", "type")), text(part(issue, "metadata", "value"))
    alert = Alert(
        fingerprint=fingerprint_of(f"issue {id_}"),
        status=AlertStatus.RESOLVED if action in ENDED else AlertStatus.FIRING,
        severity=severity_of(issue.get("level")),
        title=line(issue.get("title")) or f"Issue {id_}",
        description=text(issue.get("culprit")),
        labels=labels_of([("project", part(issue, "project", "slug")), ("platform", issue.get("platform"))]),
        # An issue that comes back was first seen in another time.
        starts_at=moment(issue.get("firstSeen" if action == "created" else "lastSeen")),
        url=link(issue.get("web_url"), issue.get("permalink")),
        symptom=symptom_of(error=f"{kind}: {value}" if kind and value else kind or value),
    )
    return (alert,)


def _metric(action: str, data: Mapping[str, Any]) -> Alert:
    metric = an_object(data["metric_alert"], "metric_alert")
    rule = part(metric, "alert_rule", "id") or metric.get("id")
    if not text(rule) or action not in {"critical", "warning", "resolved"}:
        raise UnreadableAlert("A metric alert must name its rule, and be critical, warning or resolved.")
    projects = metric.get("projects")
    first = projects[0] if isinstance(projects, list) and projects else ""
    return Alert(
        fingerprint=fingerprint_of(f"metric {text(rule)}"),
        status=AlertStatus.RESOLVED if action == "resolved" else AlertStatus.FIRING,
        severity=severity_of(action, otherwise=Severity.ERROR),
        title=line(data.get("description_title"), part(metric, "alert_rule", "name"), metric.get("title")) or "Metric alert",
        description=text(data.get("description_text")),
        labels=labels_of([("project", first), ("environment", part(metric, "alert_rule", "environment"))]),
        starts_at=moment(metric.get("date_started")) or moment(metric.get("date_created")),
        url=link(data.get("web_url")),
    )


def _project(event: Mapping[str, Any]) -> str:
    """Its short name: it stands in the event's address, …/projects/<organization>/<project>/events/…, else there is a number."""
    _, found, rest = text(event.get("url")).partition("/projects/")
    parts = rest.split("/")
    return parts[1] if found and len(parts) > 2 else text(event.get("project"))


def _error(event: Mapping[str, Any]) -> str:
    kind, value = text(part(event, "metadata", "type")), text(part(event, "metadata", "value"))
    if kind or value:
        return f"{kind}: {value}" if kind and value else kind or value
    return text(event.get("message")) or text(part(event, "logentry", "formatted"))


def _trace(event: Mapping[str, Any]) -> str:
    """The stack traces as Python writes them, oldest first; whoever reads them knows where the files are."""
    values = part(event, "exception", "values")
    traces = []
    for value in values if isinstance(values, list) else ():
        frames = part(value, "stacktrace", "frames")
        lines = (
            [_frame(frame) for frame in frames[-MOST_FRAMES:] if isinstance(frame, dict)] if isinstance(frames, list) else []
        )
        if lines:
            last = ": ".join(filter(None, (text(part(value, "type"), 300), text(part(value, "value"), 2_000))))
            traces.append("\n".join(["Traceback (most recent call last):", *lines, last]))
    return "\n\n".join(traces)


def _frame(frame: Mapping[str, Any]) -> str:
    place = f'  File "{line(frame.get("filename"), frame.get("abs_path"), frame.get("module"))}", line {line(frame.get("lineno")) or 0}'
    code = text(frame.get("context_line"), 300)
    return f"{place}, in {line(frame.get('function')) or '?'}" + (f"\n    {code}" if code else "")
