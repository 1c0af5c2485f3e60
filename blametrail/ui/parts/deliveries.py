"""The delivery log of a service: what came with its token, and what became of it."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.deploys.delivery_log import DeliveryPage, DeliveryView
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.vars import count

OUTCOMES = {
    "accepted": "Accepted",
    "duplicate": "Duplicate",
    "checked, nothing stored": "Checked",
    "opened": "Opened an incident",
    "absorbed": "Added to an incident",
    "resolved": "Resolved an incident",
    "ignored": "Ignored",
}
REASONS = {"duplicate": "The key was used before; the first one stands.", "checked, nothing stored": "Nothing was stored."}


class DeliveryRow(TypedDict):
    id: str
    at: str
    route: str
    status: str
    outcome: str
    reason: str
    body: str
    address: str
    request_id: str
    commit: str
    deploy_id: str


def delivery_vars(page: DeliveryPage, service_id: str) -> dict[str, Any]:
    """What the log shows, by the name of its var."""
    here = f"/services/{service_id}"
    return {
        "deliveries": [delivery_row(d) for d in page.deliveries],
        "older": f"{here}?before={page.older}#deliveries" if page.older else "",
        "newer": f"{here}?after={page.newer}#deliveries" if page.newer else "",
    }


def delivery_row(d: DeliveryView) -> DeliveryRow:
    return DeliveryRow(
        id=d.id,
        at=d.received_at.isoformat(),
        route=d.route,
        status=str(d.status),
        outcome=OUTCOMES.get(d.reason.partition(":")[0], "") if d.status == 200 else "Refused",
        reason=REASONS.get(d.reason, d.reason.partition(": ")[2]) if d.status == 200 else d.reason,
        body=d.body,
        address=d.address,
        request_id=d.request_id,
        commit=d.commit,
        deploy_id=d.deploy_id,
    )


def delivery_list(deliveries: rx.Var[list[DeliveryRow]], older: rx.Var[str], newer: rx.Var[str]) -> rx.Component:
    return rx.el.section(
        rx.el.h2("Delivery log"),
        rx.el.p(
            "Requests of the last 30 days that carried a token of this service, a replaced one too, and what became of them. "
            "Of those refused unread (413 too large, 429 too many, 503 too slow, 400 cut off) at most 10 a minute are listed for each address.",
            class_name="muted",
        ),
        rx.cond(
            count(deliveries) > 0,
            rx.el.ol(rx.foreach(deliveries, _row), class_name="deliveries"),
            rx.el.p("Nothing has come in yet.", class_name="muted"),
        ),
        rx.el.nav(
            rx.cond(newer != "", rx.el.a("Newer", href=newer, class_name="button")),
            rx.cond(older != "", rx.el.a("Older", href=older, class_name="button")),
            aria_label="Pages of the delivery log",
            class_name="row",
        ),
        id="deliveries",
    )


def _row(d: rx.Var[DeliveryRow]) -> rx.Component:
    return rx.el.li(
        _commit(d),
        rx.el.details(
            rx.el.summary(
                rx.el.span(d["outcome"], class_name=rx.cond(d["status"] == "200", "status good", "status bad")),
                " ",
                rx.cond(d["route"] != "deploy", rx.fragment(rx.el.span(d["route"], class_name="badge"), " "), rx.fragment()),
                rx.cond(d["reason"] != "", rx.fragment(rx.el.span(d["reason"], class_name="reason"), " "), rx.fragment()),
                rx.el.small(When.create(at=d["at"]), class_name="muted"),
            ),
            rx.el.p(
                rx.el.small(
                    "Answered ", d["status"], " · from ", d["address"], " · request ", d["request_id"], class_name="muted"
                ),
            ),
            rx.cond(d["body"] != "", rx.el.pre(d["body"], tab_index=0, aria_label="Body, secrets masked")),
        ),
        key=d["id"],
    )


def _commit(d: rx.Var[DeliveryRow]) -> rx.Component:
    """The commit that was sent, and the way to its deploy when there is one."""
    code = rx.el.code(d["commit"])
    return rx.cond(d["deploy_id"] != "", rx.el.a(code, href=f"/deploys/{d['deploy_id']}"), code)
