"""Monitors as a list, the form of one, and maintenance windows."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.incidents.monitors.draft import METHODS
from blametrail.incidents.monitors.judge import IN_A_ROW, Health
from blametrail.incidents.monitors.maintenance import WindowView
from blametrail.incidents.monitors.recent import read_recent
from blametrail.incidents.monitors.views import MonitorView
from blametrail.incidents.states import Severity
from blametrail.ui.parts.browser import ApiForm, FieldError, When
from blametrail.ui.parts.deploys import environment_tag
from blametrail.ui.parts.fields import area, choice, field
from blametrail.ui.parts.vars import count


class Checks(rx.Component):
    """The newest checks as bars, from a monitor's `recent`."""

    library = "$/public/ui/monitors.jsx"
    tag = "Checks"
    recent: rx.Var[str]


class MonitorRow(TypedDict):
    id: str
    name: str
    service: str
    environment: str
    url: str
    every: str
    state: str
    tone: str
    paused: bool
    silent: bool
    since: str
    checked_at: str
    reason: str
    recent: str
    uptime: str
    latency: str
    incident_id: str


class WindowRow(TypedDict):
    id: str
    starts_at: str
    ends_at: str
    note: str
    by: str
    services: str


class MonitorForm(TypedDict):
    id: str
    name: str
    service_id: str
    environment: str
    method: str
    url: str
    header_names: str
    expected_status: str
    body_text: str
    interval_seconds: str
    timeout_seconds: str
    latency_ms: str
    severity: str


EMPTY_FORM = MonitorForm(
    id="",
    name="",
    service_id="",
    environment="production",
    method="GET",
    url="",
    header_names="",
    expected_status="200-299",
    body_text="",
    interval_seconds="60",
    timeout_seconds="10",
    latency_ms="",
    severity="error",
)


def monitor_row(view: MonitorView) -> MonitorRow:
    times = [ms for _, ms in read_recent(view.recent) if ms is not None]
    return MonitorRow(
        id=view.id,
        name=view.name,
        service=view.service,
        environment=view.environment,
        url=f"{view.method} {view.url}",
        every=_length(view.interval_seconds),
        state=_state(view),
        tone="" if view.is_paused or not view.checked_at else "bad" if view.health is not Health.UP else "good",
        paused=view.is_paused,
        silent=view.is_silent,
        since=view.since.isoformat() if view.health is not Health.UP else "",
        checked_at=view.checked_at.isoformat() if view.checked_at else "",
        reason=view.reason,
        recent=view.recent,
        uptime="" if view.uptime is None else _percent(view.uptime),
        latency=f"{times[-1]:,} ms" if times else "",
        incident_id=view.incident_id,
    )


def window_row(view: WindowView) -> WindowRow:
    return WindowRow(
        id=view.id,
        starts_at=view.starts_at.isoformat(),
        ends_at=view.ends_at.isoformat(),
        note=view.note,
        by=view.created_by,
        services=", ".join(view.services) or "all services",
    )


def monitor_form_values(view: MonitorView) -> MonitorForm:
    return MonitorForm(
        id=view.id,
        name=view.name,
        service_id=view.service_id,
        environment=view.environment,
        method=view.method,
        url=view.url,
        header_names=", ".join(view.header_names),
        expected_status=view.expected_status,
        body_text=view.body_text,
        interval_seconds=f"{view.interval_seconds:g}",
        timeout_seconds=f"{view.timeout_seconds:g}",
        latency_ms=str(view.latency_ms or ""),
        severity=view.severity,
    )


def _state(view: MonitorView) -> str:
    """In words, with how far it is on the way to another state."""
    word = {Health.UP: "Up", Health.DOWN: "Down", Health.SLOW: "Slow"}[view.health]
    if view.is_paused:
        return "Paused" if view.health is Health.UP else f"Paused while {word.lower()}"
    if view.checked_at is None:
        return "Waiting for its first check"
    if view.run is view.health or not 0 < view.run_length < IN_A_ROW:
        return word
    did = {Health.UP: "passed", Health.DOWN: "failed", Health.SLOW: "slow"}[view.run]
    return f"{word}, {did} {view.run_length} of {IN_A_ROW}"


def _percent(share: float) -> str:
    """Never rounded up to 100: that one would say that nothing happened."""
    return "100 %" if share == 1 else f"{int(share * 10_000) / 100:.2f} %"


def _length(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def monitor_line(m: rx.Var[MonitorRow], tools: rx.Component) -> rx.Component:
    """A monitor in the list."""
    return rx.el.li(
        rx.el.div(
            rx.el.span(m["state"], class_name=rx.cond(m["tone"] != "", "status " + m["tone"], "status")),
            " ",
            rx.el.strong(m["name"]),
            " ",
            environment_tag(m["environment"]),
            rx.el.br(),
            rx.el.small(m["service"], " · every ", m["every"], " · ", rx.el.code(m["url"]), class_name="muted"),
            rx.cond(m["reason"] != "", rx.el.p(m["reason"], class_name="monitor-reason")),
            rx.cond(
                m["since"] != "",
                rx.el.p(
                    "Since ",
                    When.create(at=m["since"]),
                    rx.cond(
                        m["incident_id"] != "",
                        rx.fragment(" · ", rx.el.a("Open its incident", href="/incidents/" + m["incident_id"])),
                    ),
                    class_name="muted",
                ),
            ),
            rx.cond(
                m["silent"],
                rx.el.p(rx.icon("moon", size=14), " In a maintenance window: it opens nothing.", class_name="muted"),
            ),
            class_name="monitor-words",
        ),
        rx.el.div(
            Checks.create(recent=m["recent"]),
            rx.el.small(
                rx.cond(m["latency"] != "", rx.fragment(m["latency"], " · ")),
                rx.cond(m["uptime"] != "", rx.fragment(m["uptime"], " up in 30 days · ")),
                rx.cond(
                    m["checked_at"] != "",
                    rx.fragment("checked ", When.create(at=m["checked_at"], short=True)),
                    "not checked yet",
                ),
                class_name="muted",
            ),
            class_name="monitor-checks",
        ),
        tools,
        key=m["id"],
        custom_attrs={"data-row": m["id"]},
    )


def monitor_form(values: Any, services: Any) -> rx.Component:
    """The form of a new monitor, or of the one that `values` is of."""

    def now(name: str) -> dict[str, Any]:
        return {"default_value": values[name]}

    return ApiForm.create(
        field("Name", "name", required=True, max_length=100, placeholder="checkout, from outside", **now("name")),
        rx.el.div(
            rx.el.label(
                rx.el.span("Service"),
                rx.el.select(
                    rx.foreach(services, lambda s: rx.el.option(s["name"], value=s["id"])),
                    name="service_id",
                    **now("service_id"),
                ),
                FieldError.create(name="service_id"),
                class_name="field",
            ),
            field("Environment", "environment", required=True, **now("environment")),
            choice("Severity of its incidents", "severity", list(Severity), **now("severity")),
            class_name="columns",
        ),
        rx.el.div(
            choice("Method", "method", list(METHODS), **now("method")),
            field("Address", "url", type="url", required=True, placeholder="https://checkout.example.com/health", **now("url")),
            class_name="columns",
        ),
        area(
            "Headers",
            "headers",
            rows="2",
            placeholder="Authorization: Bearer …",
            auto_complete="off",
            spell_check=False,
            hint="One a line. Values are kept encrypted; they can be replaced, never read again.",
        ),
        rx.cond(
            values["header_names"] != "",
            rx.el.label(
                rx.el.input(type="checkbox", name="drop_headers"),
                rx.el.span(
                    "Send none any more. It sends ",
                    rx.el.strong(values["header_names"]),
                    " and keeps that unless you type others.",
                ),
                class_name="check",
            ),
        ),
        rx.el.div(
            field("Expected status", "expected_status", hint="200, 200-299, or several.", **now("expected_status")),
            field("Text in the answer", "body_text", hint="Empty: none is looked for.", **now("body_text")),
            class_name="columns",
        ),
        rx.el.div(
            field(
                "Every, in seconds", "interval_seconds", input_mode="numeric", hint="At least 10.", **now("interval_seconds")
            ),
            field("Timeout, in seconds", "timeout_seconds", input_mode="numeric", **now("timeout_seconds")),
            field("Slow from, in ms", "latency_ms", input_mode="numeric", hint="Empty: never.", **now("latency_ms")),
            class_name="columns",
        ),
        rx.el.div(
            rx.el.a("Cancel", href="/monitors", class_name="button"),
            rx.el.button("Save", type="submit", class_name="button primary"),
            class_name="row end",
        ),
        action="/form/monitor",
        extra={"monitor_id": values["id"]},
        label="Monitor",
        class_name="form",
        key=values["id"],
    )


def maintenance_form(services: Any, time_zone: Any) -> rx.Component:
    return rx.el.details(
        rx.el.summary("Plan maintenance"),
        ApiForm.create(
            rx.el.div(
                field("Starts", "starts", type="datetime-local", hint=rx.fragment("Empty: now. In ", time_zone, ".")),
                field("Minutes", "minutes", input_mode="numeric", required=True, placeholder="60"),
                field("Note", "note", max_length=300, placeholder="Moving the database"),
                class_name="columns",
            ),
            rx.cond(
                count(services) > 0,
                rx.el.fieldset(
                    rx.el.legend("Services"),
                    rx.foreach(
                        services,
                        lambda s: rx.el.label(
                            rx.el.input(type="checkbox", name="services[]", value=s["id"]), s["name"], class_name="check"
                        ),
                    ),
                    rx.el.small("None chosen: all of them.", class_name="muted"),
                ),
            ),
            rx.el.div(rx.el.button("Plan it", type="submit", class_name="button primary"), class_name="row end"),
            action="/form/maintenance",
            reset_on_done=True,
            label="Plan maintenance",
            class_name="form",
        ),
        class_name="disclosure",
    )
