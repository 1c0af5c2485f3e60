"""The fields of a service, for a new one and for one that is there."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.catalog.services import Environment, ServiceType
from blametrail.ui.parts.fields import area, choice, field, field_error
from blametrail.ui.parts.vars import count


class Other(TypedDict):
    id: str
    name: str
    chosen: bool


def service_fields(others: Any, service: Any = None) -> rx.Component:
    """The fields of a service: empty, or as the vars of the state `service` say, with what is wrong with them."""

    def now(var: str) -> dict[str, Any]:
        return {"default_value": getattr(service, var)} if service else {}

    def wrong(name: str) -> rx.Component:
        return field_error(service.errors, name) if service else rx.fragment()

    return rx.fragment(
        field("Name", "name", required=True, max_length=100, placeholder="checkout", **now("name")),
        wrong("name"),
        rx.el.div(
            choice(
                "Environment",
                "environment",
                list(Environment),
                hint="Where its deploys go unless they say.",
                **now("environment"),
            ),
            choice("Type", "type", list(ServiceType), **now("type")),
            class_name="columns",
        ),
        rx.el.div(
            field(
                "Address", "url", type="url", placeholder="https://checkout.example.com", hint="For reference.", **now("url")
            ),
            field(
                "Owner team",
                "owner_team",
                placeholder="Payments",
                hint="Whom to ask about it.",
                **now("team"),
            ),
            class_name="columns",
        ),
        wrong("url"),
        area(
            "Repositories",
            "repositories",
            rows="2",
            placeholder="acme/checkout\nhttps://gitlab.example.com/group/project services/checkout",
            hint="One a line: owner/repo or its address; after a space, the folder in a monorepo.",
            **now("repositories"),
        ),
        wrong("repositories"),
        rx.cond(
            count(others) > 0,
            rx.el.fieldset(
                rx.el.legend("Depends on"),
                rx.foreach(
                    others,
                    lambda o: rx.el.label(
                        rx.el.input(
                            type="checkbox",
                            name=f"needs-{o['id']}" if service else "depends_on[]",
                            value="on" if service else o["id"],
                            default_checked=o["chosen"],
                        ),
                        o["name"],
                        class_name="check",
                    ),
                ),
                rx.el.small("What this service needs to work.", class_name="muted"),
            ),
        ),
    )
