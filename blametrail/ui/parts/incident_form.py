"""The fields of an incident, for a new one and for one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.incidents.reports import IncidentDraft
from blametrail.incidents.states import Severity
from blametrail.ui.parts.fields import area, choice, field, field_error
from blametrail.ui.parts.vars import count


class Choice(TypedDict):
    """A service by its id, or an environment by its name."""

    id: str
    name: str
    chosen: bool


def read_draft(form: dict[str, Any], services: Sequence[Choice], environments: Sequence[Choice]) -> IncidentDraft:
    """What the form says, of the choices that it offered; raises Invalid."""
    return IncidentDraft.checked(
        title=str(form.get("title", "")),
        severity=str(form.get("severity", "")),
        description=str(form.get("description", "")),
        service_ids=[UUID(s["id"]) for s in services if form.get(f"service-{s['id']}")],
        environments=[e["name"] for e in environments if form.get(f"environment-{e['name']}")],
    )


def word_fields(s: Any) -> rx.Component:
    """Title, severity and description, as the vars of the state `s` say, with what is wrong with them."""
    return rx.fragment(
        field(
            "What is broken?", "title", required=True, max_length=300, placeholder="Checkout answers 500", default_value=s.title
        ),
        field_error(s.errors, "title"),
        choice("Severity", "severity", list(Severity), default_value=s.severity),
        area("Description", "description", rows="2", default_value=s.description),
        field_error(s.errors, "description"),
    )


def extent_fields(s: Any) -> rx.Component:
    """Which services and environments it affects."""
    return rx.fragment(
        _checks("Services", "service", s.service_choices),
        _checks("Environments", "environment", s.environment_choices),
    )


def symptom_fields(s: Any = None) -> rx.Component:
    """What the incident shows; a pasted stack trace is recognised."""

    def now(var: str) -> dict[str, Any]:
        return {"default_value": getattr(s, var)} if s is not None else {}

    return rx.fragment(
        field("Error message", "error_message", **now("error_message")),
        area(
            "Stack trace",
            "stack_trace",
            rows="6",
            hint="Paste it whole: exception, frames and files are recognised.",
            **now("stack_trace"),
        ),
        area("Log excerpt", "log_excerpt", rows="3", **now("log_excerpt")),
        field("Affected endpoint", "endpoint", placeholder="POST /checkout", max_length=300, **now("endpoint")),
    )


def _checks(legend: str, name: str, choices: rx.Var[list[Choice]]) -> rx.Component:
    return rx.cond(
        count(choices) > 0,
        rx.el.fieldset(
            rx.el.legend(legend),
            rx.foreach(
                choices,
                lambda c: rx.el.label(
                    rx.el.input(type="checkbox", name=f"{name}-{c['id']}", value="on", default_checked=c["chosen"]),
                    c["name"],
                    class_name="check",
                    key=c["id"],
                ),
            ),
        ),
    )
