"""How change events look: as rows of a list, in the list and below the timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import reflex as rx

from blametrail.changes.events.find import EventView, event_href
from blametrail.changes.events.record import BY_HAND
from blametrail.ui.parts.browser import Confirm, When
from blametrail.ui.parts.deploys import environment_tag
from blametrail.ui.parts.vars import count
from blametrail.ui.shell import may_respond

KINDS = {
    "feature_flag": "Feature flag",
    "config": "Config",
    "infrastructure": "Infrastructure",
    "database": "Database",
    "other": "Other",
}


class Service(TypedDict):
    id: str
    name: str


class Label(TypedDict):
    name: str
    value: str


class EventRow(TypedDict):
    """What a row shows; every value is text for the page."""

    id: str
    kind: str
    title: str
    description: str
    at: str
    ended_at: str
    all_services: bool
    services: list[Service]
    environments: list[str]
    who: str
    url: str
    labels: list[Label]
    reverts: str
    reverts_href: str
    source: str
    by_hand: bool
    href: str


def event_row(e: EventView) -> EventRow:
    return EventRow(
        id=e.id,
        kind=KINDS.get(e.kind, e.kind),
        title=e.title,
        description=e.description,
        at=e.started_at.isoformat(),
        ended_at=e.ended_at.isoformat() if e.ended_at else "",
        all_services=e.is_of_all_services,
        services=[Service(id=id_, name=name) for id_, name in e.services],
        environments=list(e.environments),
        who=e.who,
        url=e.url,
        labels=[Label(name=name, value=value) for name, value in e.labels],
        reverts=e.reverts,
        reverts_href=e.reverts_href,
        source=e.source,
        by_hand=e.source == BY_HAND,
        href=event_href(e.id),
    )


def event_list(rows: rx.Var[list[EventRow]], label: str) -> rx.Component:
    """Short rows that lead to the events."""
    return rx.el.ul(rx.foreach(rows, _short), class_name="events", aria_label=label)


def event_details(rows: rx.Var[list[EventRow]], label: str, remove: Any) -> rx.Component:
    """Rows that open in their place; `remove` takes the id of one and what was typed."""
    return rx.el.ul(rx.foreach(rows, lambda e: event_item(e, remove)), class_name="events", aria_label=label)


def event_item(e: rx.Var[EventRow], remove: Any, *, is_open: bool = False) -> rx.Component:
    return rx.el.li(
        rx.el.details(
            rx.el.summary(_badge(e), " ", rx.el.strong(e["title"]), " ", _where(e, _name), " ", _when(e)),
            rx.cond(e["description"] != "", rx.el.p(e["description"], class_name="described")),
            rx.el.dl(
                _fact(e["url"] != "", "Link", rx.el.a(e["url"], href=e["url"], rel="noreferrer")),
                _fact(
                    e["reverts"] != "",
                    "Reverts",
                    rx.cond(e["reverts_href"] != "", rx.el.a(e["reverts"], href=e["reverts_href"]), rx.el.span(e["reverts"])),
                ),
                _fact(
                    count(e["labels"]) > 0,
                    "Labels",
                    rx.foreach(e["labels"], lambda one: rx.el.code(one["name"], "=", one["value"], class_name="label")),
                ),
                _fact(
                    True,
                    "Told by",
                    rx.cond(e["by_hand"], rx.fragment(e["who"], ", by hand"), rx.fragment("the token of ", e["source"])),
                ),
                class_name="facts",
            ),
            rx.el.p(
                rx.el.a("Link to this change event", href=e["href"]),
                rx.cond(e["by_hand"] & may_respond(), _remove(e, remove)),
                class_name="row",
            ),
            **({"open": True} if is_open else {}),
        ),
        key=e["id"],
        custom_attrs={"data-row": e["id"]},
    )


def _short(e: rx.Var[EventRow]) -> rx.Component:
    return rx.el.li(
        _badge(e),
        " ",
        rx.el.a(e["title"], href=e["href"], class_name="row-link"),
        " ",
        _where(e, _link),
        " ",
        _when(e),
        key=e["id"],
        custom_attrs={"data-row": e["id"]},
    )


def _badge(e: rx.Var[EventRow]) -> rx.Component:
    return rx.el.span("◆ ", e["kind"], class_name="badge event")


def _where(e: rx.Var[EventRow], service: Callable[[Any], rx.Component]) -> rx.Component:
    return rx.el.span(
        rx.cond(e["all_services"], rx.el.span("All services", class_name="service-name"), rx.foreach(e["services"], service)),
        rx.foreach(e["environments"], lambda name: rx.el.span(environment_tag(name), " ")),
    )


def _link(s: Any) -> rx.Component:
    return rx.el.a(s["name"], href=f"/services/{s['id']}", class_name="service-name", key=s["id"])


def _name(s: Any) -> rx.Component:
    """Without a link, for what is a button itself."""
    return rx.el.span(s["name"], class_name="service-name", key=s["id"])


def _when(e: rx.Var[EventRow]) -> rx.Component:
    return rx.el.small(
        When.create(at=e["at"]),
        rx.cond(e["ended_at"] != "", rx.fragment(" to ", When.create(at=e["ended_at"]))),
        rx.cond(e["who"] != "", rx.fragment(" · ", e["who"])),
        class_name="muted",
    )


def _fact(is_known: Any, name: str, value: Any) -> rx.Component:
    shown = rx.fragment(rx.el.dt(name), rx.el.dd(value))
    return shown if is_known is True else rx.cond(is_known, shown)


def _remove(e: rx.Var[EventRow], remove: Any) -> rx.Component:
    return Confirm.create(
        trigger="Remove",
        title="Remove this change event?",
        text="It goes from the list and from the timeline. Nothing that it tells of is undone.",
        action="Remove",
        danger=True,
        on_confirm=lambda typed: remove(e["id"], typed),
    )
