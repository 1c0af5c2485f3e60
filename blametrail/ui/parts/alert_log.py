"""What alert sources sent, and what of it belongs to no service: lists that a page fills and acts on."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.ui.parts.browser import CopyButton, When
from blametrail.ui.parts.vars import count


class MessageRow(TypedDict):
    id: str
    at: str
    source: str
    result: str
    tone: str
    reason: str
    payload: str
    incident: str
    replayable: bool


class UnmappedRow(TypedDict):
    id: str
    title: str
    severity: str
    source: str
    labels: str
    told: str
    at: str


def unmapped_list(rows: Any) -> rx.Component:
    """What fires and belongs to no service."""
    return rx.el.section(
        rx.el.h2("Unmapped"),
        rx.el.p(
            "What fires now and belongs to no service. Map its labels, then replay its message below or wait until it is told "
            "again.",
            class_name="muted",
        ),
        rx.cond(
            count(rows) > 0,
            rx.el.ul(rx.foreach(rows, _unmapped), class_name="connections"),
            rx.el.p("Everything that fires belongs to a service."),
        ),
        id="unmapped",
    )


def message_log(rows: Any, on_replay: Any) -> rx.Component:
    """The last messages; `on_replay` is called with the id of one."""
    return rx.el.section(
        rx.el.h2("Last messages"),
        rx.el.p(
            "The last 50 that came in with a token or signature; each is kept for 30 days, secrets masked.", class_name="muted"
        ),
        rx.cond(
            count(rows) > 0,
            rx.el.ol(rx.foreach(rows, lambda m: _message(m, on_replay)), class_name="webhook-log"),
            rx.el.p(
                rx.el.span(class_name="listening", aria_hidden="true"),
                "Listening. Each message appears here the moment it comes, with what became of it.",
            ),
        ),
        id="messages",
    )


def _unmapped(u: rx.Var[UnmappedRow]) -> rx.Component:
    return rx.el.li(
        rx.el.strong(u["title"]),
        rx.el.br(),
        rx.el.small(u["severity"], " · ", u["source"], " · ", u["told"], " · ", When.create(at=u["at"]), class_name="muted"),
        rx.cond(
            u["labels"] != "",
            rx.el.div(
                rx.el.pre(u["labels"], tab_index=0, aria_label="Labels"),
                CopyButton.create(text=u["labels"], label="Copy"),
                class_name="snippet",
            ),
        ),
        key=u["id"],
    )


def _message(m: rx.Var[MessageRow], on_replay: Any) -> rx.Component:
    return rx.el.li(
        rx.el.details(
            rx.el.summary(
                rx.el.span(
                    m["result"], class_name=rx.match(m["tone"], ("bad", "status bad"), ("good", "status good"), "status")
                ),
                " ",
                rx.el.span(m["source"], class_name="muted"),
                " ",
                rx.el.small(When.create(at=m["at"]), class_name="muted"),
            ),
            rx.el.p(m["reason"]),
            rx.cond(m["incident"] != "", rx.el.p(rx.el.a("The incident", href="/incidents/" + m["incident"]))),
            rx.cond(
                m["payload"] != "",
                rx.fragment(
                    rx.el.pre(m["payload"], tab_index=0, aria_label="Payload, secrets masked"),
                    rx.cond(
                        m["replayable"],
                        rx.el.button("Replay", type="button", class_name="button", on_click=on_replay(m["id"])),
                    ),
                ),
            ),
        ),
        key=m["id"],
    )
