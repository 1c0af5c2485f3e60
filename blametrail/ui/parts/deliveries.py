"""The delivery log of a service: every request with its token, and what became of it."""

from __future__ import annotations

from typing import TypedDict

import reflex as rx

from blametrail.deploys.delivery_log import DeliveryView
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.vars import count


class DeliveryRow(TypedDict):
    id: str
    at: str
    route: str
    status: str
    reason: str
    body: str
    address: str
    request_id: str
    deploy_id: str


def delivery_row(d: DeliveryView) -> DeliveryRow:
    return DeliveryRow(
        id=d.id,
        at=d.received_at.isoformat(),
        route="test" if d.route == "test" else "deploy",
        status=str(d.status),
        reason=d.reason,
        body=d.body,
        address=d.address,
        request_id=d.request_id,
        deploy_id=d.deploy_id,
    )


def delivery_list(deliveries: rx.Var[list[DeliveryRow]]) -> rx.Component:
    return rx.el.section(
        rx.el.h2("Delivery log"),
        rx.el.p(
            "Every request of the last 30 days that carried this service's token, and what became of it.", class_name="muted"
        ),
        rx.cond(
            count(deliveries) > 0,
            rx.el.ol(rx.foreach(deliveries, _row), class_name="deliveries"),
            rx.el.p("Nothing has come in yet.", class_name="muted"),
        ),
    )


def _row(d: rx.Var[DeliveryRow]) -> rx.Component:
    return rx.el.li(
        rx.el.details(
            rx.el.summary(
                rx.el.span(d["status"], class_name=rx.cond(d["status"] == "200", "status good", "status bad")),
                " ",
                rx.cond(d["route"] == "test", rx.el.span("test ", class_name="badge"), rx.fragment()),
                rx.el.span(d["reason"], class_name="reason"),
                " ",
                rx.el.small(When.create(at=d["at"]), class_name="muted"),
            ),
            rx.el.p(
                rx.el.small("From ", d["address"], " · request ", d["request_id"], class_name="muted"),
                rx.cond(d["deploy_id"] != "", rx.fragment(" · ", rx.el.a("The deploy", href=f"/deploys/{d['deploy_id']}")), ""),
            ),
            rx.cond(d["body"] != "", rx.el.pre(d["body"], tab_index=0, aria_label="Body, secrets masked")),
        ),
        key=d["id"],
    )
