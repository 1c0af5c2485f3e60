"""Settings of the organization: its connections to GitHub and GitLab."""

from __future__ import annotations

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.codehosts.connections import ConnectionView, list_connections
from blametrail.kit.db import ScopedSession, database
from blametrail.ui import live
from blametrail.ui.guard import action
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.connections import add_connection, connection_list, show_connections
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.shell import shell, show_actor


class CodeHostsState(rx.State):
    ready: bool = False

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "connections")
        await self._refresh(actor)

    async def _refresh(self, actor: Actor) -> None:
        views, names = await database().read(actor.organization_id, _load)
        await show_connections(self, views, names)
        self.ready = True


def _load(session: ScopedSession) -> tuple[list[ConnectionView], dict[str, str]]:
    return list_connections(session), {str(id_): name for id_, name in services.names(session).items()}


def page() -> rx.Component:
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            CodeHostsState.ready,
            rx.el.div(
                rx.el.section(
                    rx.el.h2("Code hosts"),
                    rx.el.p(
                        "With a connection, each deploy shows the commits, pull requests and files that it carries. A token of a "
                        "service, set on its page, takes priority over the organization's.",
                        class_name="muted",
                    ),
                    connection_list("Nothing is connected yet. Deploys are recorded all the same."),
                ),
                rx.cond(may_administer(), rx.el.section(rx.el.h2("Connect another"), add_connection())),
                class_name="settings-page",
            ),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )
