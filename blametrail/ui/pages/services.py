"""The services of the organization."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys.find import newest_by_service
from blametrail.kit.db import ScopedSession, database
from blametrail.ui import live
from blametrail.ui.guard import action
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.deploys import environment_tag
from blametrail.ui.parts.vars import count
from blametrail.ui.shell import ShellState, shell, show_actor


class ServiceRow(TypedDict):
    id: str
    name: str
    environment: str
    type: str
    team: str
    last_at: str
    last_title: str
    last_id: str


class ServicesState(rx.State):
    ready: bool = False
    rows: list[ServiceRow] = []

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "services", "deploys")
        await self._refresh(actor)

    async def _refresh(self, actor: Actor) -> None:
        async def load() -> list[ServiceRow]:
            return await database().read(actor.organization_id, _load)

        self.rows = await live.shared(actor.organization_id, "services", load)
        self.ready = True


def _load(session: ScopedSession) -> list[ServiceRow]:
    newest = newest_by_service(session)
    rows = []
    for s in services.list_services(session):
        last = newest.get(s.id)
        rows.append(
            ServiceRow(
                id=s.id,
                name=s.name,
                environment=s.environment,
                type=s.type,
                team=s.owner_team,
                last_at=last.deployed_at.isoformat() if last else "",
                last_title=last.title if last else "",
                last_id=last.id if last else "",
            )
        )
    return rows


def may_administer() -> Any:
    """Whether to offer what only admins may do; the server decides by itself."""
    return (ShellState.role == "admin") | (ShellState.role == "owner")


def page() -> rx.Component:
    return shell(
        "Services",
        rx.cond(
            ~ServicesState.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            rx.cond(
                count(ServicesState.rows) > 0,
                rx.el.ul(rx.foreach(ServicesState.rows, _row), class_name="service-list"),
                rx.el.section(
                    rx.el.h2("No services yet"),
                    rx.el.p(
                        "A service is something you deploy: a web front, an API, a worker. Each gets its own deploy token."
                    ),
                    rx.el.a("Create your first service", href="/services/new", class_name="button primary"),
                    class_name="empty",
                ),
            ),
        ),
        actions=rx.cond(may_administer(), rx.el.a("New service", href="/services/new", class_name="button primary")),
    )


def _row(s: rx.Var[ServiceRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.a(s["name"], href=f"/services/{s['id']}", class_name="row-link strong"),
            " ",
            environment_tag(s["environment"]),
            rx.el.small(" ", s["type"], rx.cond(s["team"] != "", rx.fragment(" · ", s["team"]), ""), class_name="muted"),
        ),
        rx.cond(
            s["last_at"] != "",
            rx.el.div(
                rx.el.a(s["last_title"], href=f"/deploys/{s['last_id']}"),
                " ",
                rx.el.small(When.create(at=s["last_at"]), class_name="muted"),
            ),
            rx.el.div(
                rx.el.span(class_name="listening", aria_hidden="true"), "Waiting for its first deploy", class_name="muted"
            ),
        ),
        key=s["id"],
        custom_attrs={"data-row": s["id"]},
    )
