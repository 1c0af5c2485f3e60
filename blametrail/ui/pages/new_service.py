"""The form of a new service."""

from __future__ import annotations

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.kit.db import database
from blametrail.ui import live
from blametrail.ui.guard import action
from blametrail.ui.parts.browser import ApiForm
from blametrail.ui.parts.service_form import Other, service_fields
from blametrail.ui.shell import shell, show_actor


class NewServiceState(rx.State):
    """What the form of a new service offers."""

    others: list[Other] = []

    @rx.event
    @action(Role.ADMIN)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.unsubscribe(self)
        names = await database().read(actor.organization_id, services.names)
        self.others = [Other(id=str(id_), name=name, chosen=False) for id_, name in names.items()]


def page() -> rx.Component:
    return shell(
        "New service",
        rx.el.p(
            "Something you deploy. You get its deploy token and ready snippets for your CI on the next page.", class_name="lede"
        ),
        ApiForm.create(
            service_fields(NewServiceState.others),
            rx.el.div(
                rx.el.a("Cancel", href="/services", class_name="button"),
                rx.el.button("Create service", type="submit", class_name="button primary"),
                class_name="row end",
            ),
            action="/form/service",
            label="New service",
            class_name="form",
        ),
    )
