"""Monitors: what they see, their settings, and when they are silent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.incidents.monitors import edit, maintenance
from blametrail.incidents.monitors.maintenance import list_windows
from blametrail.incidents.monitors.views import MOST_SHOWN, list_monitors, view_monitor
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import NotFound
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import Confirm, When
from blametrail.ui.parts.monitors import (
    EMPTY_FORM,
    MonitorForm,
    MonitorRow,
    WindowRow,
    maintenance_form,
    monitor_form,
    monitor_form_values,
    monitor_line,
    monitor_row,
    window_row,
)
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import may_respond, shell, show_actor


class MonitorsState(rx.State):
    """The address says which form is open: `?new=1`, or `?edit=` with a monitor's id."""

    ready: bool = False
    rows: list[MonitorRow] = []
    count: int = 0
    windows: list[WindowRow] = []
    services: list[dict[str, str]] = []
    time_zone: str = ""
    is_editing: bool = False
    form: MonitorForm = EMPTY_FORM

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "monitors", "services")
        query = self.router.url.query_parameters
        wanted = query.get("edit", "")
        self.is_editing = "new" in query or bool(wanted)
        self.form = await database().read(actor.organization_id, _form, wanted) if wanted else EMPTY_FORM
        await self._refresh(actor)

    @rx.event
    @action(Role.RESPONDER)
    async def pause(self, actor: Actor, monitor_id: str) -> None:
        await database().write(actor.organization_id, edit.pause, actor, _id(monitor_id, edit.NO_MONITOR))
        await tell(self, "Paused: nothing is checked until it is resumed.")

    @rx.event
    @action(Role.RESPONDER)
    async def resume(self, actor: Actor, monitor_id: str) -> None:
        await database().write(actor.organization_id, edit.resume, actor, _id(monitor_id, edit.NO_MONITOR))
        await tell(self, "Resumed.")

    @rx.event
    @action(Role.ADMIN)
    async def remove(self, actor: Actor, monitor_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, edit.remove, actor, _id(monitor_id, edit.NO_MONITOR))
        await tell(self, "Deleted.")

    @rx.event
    @action(Role.ADMIN)
    async def cancel_window(self, actor: Actor, window_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, maintenance.cancel, actor, _id(window_id, maintenance.NO_WINDOW))
        await tell(self, "The window is over. What is down by now opens an incident with its next check.")

    async def _refresh(self, actor: Actor) -> None:
        async def load() -> dict[str, Any]:
            return await database().read(actor.organization_id, _load)

        shown = await live.shared(actor.organization_id, "monitors", load)
        await fill(self, MonitorsState, {**shown, "time_zone": actor.time_zone, "ready": True})


def _id(text: str, missing: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(missing) from None


def _form(session: ScopedSession, monitor_id: str) -> MonitorForm:
    return monitor_form_values(view_monitor(session, _id(monitor_id, edit.NO_MONITOR)))


def _load(session: ScopedSession) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    views, number = list_monitors(session)
    return {
        "rows": [monitor_row(view) for view in views],
        "count": number,
        "windows": [window_row(view) for view in list_windows(session, now())],
        "services": [
            {"id": str(id_), "name": name}
            for id_, name in sorted(services.names(session).items(), key=lambda one: one[1].lower())
        ],
    }


def page() -> rx.Component:
    s = MonitorsState
    return shell(
        "Monitors",
        rx.cond(
            s.ready,
            rx.fragment(
                rx.cond(s.is_editing & may_administer(), _editing()),
                rx.cond(count(s.rows) > 0, _list(), _none_yet()),
                _maintenance(),
            ),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
        actions=rx.cond(
            may_administer() & (count(s.services) > 0),
            rx.el.a("New monitor", href="/monitors?new=1", class_name="button primary"),
        ),
    )


def _editing() -> rx.Component:
    s = MonitorsState
    return rx.el.section(
        rx.el.h2(rx.cond(s.form["id"] != "", "Change the monitor", "New monitor")),
        monitor_form(s.form, s.services),
    )


def _list() -> rx.Component:
    s = MonitorsState
    return rx.el.section(
        rx.el.h2("Checks"),
        rx.el.ul(rx.foreach(s.rows, lambda m: monitor_line(m, _tools(m))), class_name="monitors"),
        rx.cond(
            s.count > MOST_SHOWN,
            rx.el.p(
                f"The first {MOST_SHOWN} of ", s.count, " are shown, those in trouble before all others.", class_name="muted"
            ),
        ),
    )


def _none_yet() -> rx.Component:
    return rx.el.section(
        rx.el.h2("No monitors yet"),
        rx.el.p(
            "A monitor asks an address of a service again and again. When three checks in a row fail or are slow it opens an "
            "incident, and says when it began; when three pass it resolves it."
        ),
        rx.cond(
            count(MonitorsState.services) > 0,
            rx.cond(
                may_administer(), rx.el.a("Create your first monitor", href="/monitors?new=1", class_name="button primary")
            ),
            rx.el.a("Create a service first", href="/services", class_name="button"),
        ),
        class_name="empty",
    )


def _tools(m: rx.Var[MonitorRow]) -> rx.Component:
    s = MonitorsState
    return rx.cond(
        may_respond(),
        rx.el.div(
            rx.cond(
                m["paused"],
                rx.el.button("Resume", type="button", class_name="button", on_click=s.resume(m["id"])),
                rx.el.button("Pause", type="button", class_name="button", on_click=s.pause(m["id"])),
            ),
            rx.cond(
                may_administer(),
                rx.fragment(
                    rx.el.a("Edit", href="/monitors?edit=" + m["id"], class_name="button"),
                    Confirm.create(
                        trigger="Delete",
                        title="Delete this monitor?",
                        text="This deletes "
                        + m["name"]
                        + " with its checks. An incident that it opened stays open until somebody "
                        "resolves it. It cannot be undone; to stop for a while, pause it.",
                        action="Delete",
                        danger=True,
                        on_confirm=lambda typed: s.remove(m["id"], typed),
                    ),
                ),
            ),
            class_name="row wrap",
        ),
        rx.fragment(),
    )


def _maintenance() -> rx.Component:
    s = MonitorsState
    return rx.el.section(
        rx.el.h2("Maintenance"),
        rx.cond(
            count(s.windows) > 0,
            rx.el.ul(rx.foreach(s.windows, _window), class_name="people"),
            rx.el.p("None is planned. In a window monitors go on checking, and open nothing.", class_name="muted"),
        ),
        rx.cond(may_administer(), maintenance_form(s.services, s.time_zone)),
    )


def _window(w: rx.Var[WindowRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(rx.cond(w["note"] != "", w["note"], "Maintenance")),
            rx.el.br(),
            rx.el.small(
                When.create(at=w["starts_at"]),
                " to ",
                When.create(at=w["ends_at"]),
                " · ",
                w["services"],
                " · by ",
                w["by"],
                class_name="muted",
            ),
        ),
        rx.cond(
            may_administer(),
            Confirm.create(
                trigger="End",
                title="End this window?",
                text="Monitors open incidents again from now on.",
                action="End",
                danger=False,
                on_confirm=lambda typed: MonitorsState.cancel_window(w["id"], typed),
            ),
        ),
        key=w["id"],
    )
