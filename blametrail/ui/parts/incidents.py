"""How an incident looks in rows, and its marks of state."""

from __future__ import annotations

from typing import TypedDict

import reflex as rx

from blametrail.incidents.find import IncidentView
from blametrail.incidents.states import Severity
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.deploys import environment_tag
from blametrail.ui.parts.vars import count


class Named(TypedDict):
    id: str
    name: str


class IncidentRow(TypedDict):
    """What a row shows; every time is text for the page, empty where there is none."""

    id: str
    number: int
    type: str
    severity: str
    status: str
    title: str
    services: list[Named]
    environments: list[str]
    onset_at: str
    resolved_at: str
    lasted: str


def incident_row(i: IncidentView) -> IncidentRow:
    return IncidentRow(
        id=i.id,
        number=i.number,
        type=i.type,
        severity=i.severity,
        status=i.status,
        title=i.title,
        services=[Named(id=id_, name=name) for id_, name in i.services],
        environments=list(i.environments),
        onset_at=i.onset_at.isoformat(),
        resolved_at=i.resolved_at.isoformat() if i.resolved_at else "",
        lasted=span_words((i.resolved_at - i.onset_at).total_seconds()) if i.resolved_at else "",
    )


def span_words(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes = max(0, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


_SIGNS = {
    Severity.CRITICAL: "octagon-alert",
    Severity.ERROR: "triangle-alert",
    Severity.WARNING: "circle-alert",
    Severity.INFO: "info",
}


def severity_badge(severity: rx.Var[str]) -> rx.Component:
    """The word with a sign of its own: colour never alone."""
    return rx.el.span(
        rx.match(
            severity, *((s.value, rx.icon(icon, size=12, aria_hidden="true")) for s, icon in _SIGNS.items()), rx.fragment()
        ),
        " ",
        severity,
        class_name=f"badge severity {severity}",
    )


def status_badge(status: rx.Var[str]) -> rx.Component:
    return rx.el.span(status, class_name=f"badge is-{status}")


def services_of(row: rx.Var[IncidentRow]) -> rx.Component:
    """The services as links, or that none is known."""
    services = row["services"].to(list[Named])
    return rx.cond(
        count(services) > 0,
        rx.foreach(services, lambda s: rx.el.a(s["name"], href=f"/services/{s['id']}", class_name="service-name")),
        rx.el.span("no service known", class_name="service-name muted"),
    )


def incident_table(rows: rx.Var[list[IncidentRow]], label: str) -> rx.Component:
    """A table that becomes a list of cards on a phone."""
    return rx.el.table(
        rx.el.caption(label, class_name="visually-hidden"),
        rx.el.thead(rx.el.tr(*(rx.el.th(head, scope="col") for head in ("Began", "State", "Incident", "Affects")))),
        rx.el.tbody(rx.foreach(rows, _table_row)),
        class_name="deploys incidents",
    )


def _table_row(i: rx.Var[IncidentRow]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            When.create(at=i["onset_at"]),
            rx.cond(i["lasted"] != "", rx.el.small(f"lasted {i['lasted']}", class_name="muted branch")),
            class_name="cell-when",
        ),
        rx.el.td(status_badge(i["status"]), " ", severity_badge(i["severity"]), class_name="cell-state"),
        rx.el.td(
            rx.el.a(
                rx.el.span(f"#{i['number']} ", class_name="muted"),
                i["title"],
                href=f"/incidents/{i['id']}",
                class_name="row-link",
            ),
            class_name="cell-change",
        ),
        rx.el.td(
            services_of(i),
            rx.foreach(i["environments"].to(list[str]), lambda e: rx.el.span(environment_tag(e), " ")),
            class_name="cell-affects",
        ),
        key=i["id"],
        custom_attrs={"data-row": i["id"]},
    )
