"""Settings of the organization: its name and rules, and its end."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import reflex as rx

from blametrail.accounts import organizations
from blametrail.accounts.roles import Actor, Role
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import Confirm
from blametrail.ui.parts.fields import field, field_error
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import fill
from blametrail.ui.shell import ShellState, shell, show_actor


class OrganizationState(rx.State):
    ready: bool = False
    name: str = ""
    time_zone: str = ""
    lookback_hours: str = ""
    retention_days: str = ""
    errors: dict[str, str] = {}

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "organization")
        self.errors = {}
        await self._refresh(actor)

    @rx.event
    @action(Role.ADMIN)
    async def save(self, actor: Actor, form: dict[str, Any]) -> None:
        try:
            await database().write(
                actor.organization_id,
                organizations.update,
                actor,
                name=str(form.get("name", "")),
                time_zone=str(form.get("time_zone", "")),
                lookback_hours=_number(form, "lookback_hours"),
                retention_days=_number(form, "retention_days"),
            )
        except Invalid as error:
            self.errors = {name: f"This {why}." for name, why in error.fields.items()}
            return
        self.errors = {}
        await tell(self, "Saved.")

    @rx.event
    @action(Role.OWNER)
    async def delete(self, actor: Actor, typed: str) -> Any:
        await database().write(actor.organization_id, organizations.delete, actor, typed)
        return rx.redirect("/login")

    async def _refresh(self, actor: Actor) -> None:
        shown = await database().read(actor.organization_id, _load, actor)
        await fill(self, OrganizationState, shown)


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    view = organizations.view(session, actor.organization_id)
    return {
        "ready": True,
        "name": view.name,
        "time_zone": view.time_zone,
        "lookback_hours": str(view.lookback_hours),
        "retention_days": str(view.retention_days),
    }


def _number(form: dict[str, Any], name: str) -> int:
    try:
        return int(str(form.get(name, "")))
    except ValueError:
        return -1


def page() -> rx.Component:
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            OrganizationState.ready,
            rx.el.div(rx.cond(may_administer(), _form(), _facts()), _end(), class_name="settings-page"),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _facts() -> rx.Component:
    """The same for those who may not change it."""
    s = OrganizationState
    return rx.el.section(
        rx.el.h2("Organization"),
        rx.el.dl(
            *(
                rx.fragment(rx.el.dt(what), rx.el.dd(*value))
                for what, value in (
                    ("Name", (s.name,)),
                    ("Time zone of reports", (s.time_zone,)),
                )
            ),
            class_name="facts",
        ),
        rx.el.p("Admins can change this.", class_name="muted"),
    )


def _form() -> rx.Component:
    s = OrganizationState
    return rx.el.section(
        rx.el.h2("Organization"),
        rx.el.form(
            field("Name", "name", default_value=s.name, max_length=100),
            field_error(s.errors, "name"),
            rx.el.div(
                field(
                    "Time zone",
                    "time_zone",
                    default_value=s.time_zone,
                    list="zones",
                    hint="For reports; pages use each reader's own.",
                ),
                field(
                    "Lookback, hours",
                    "lookback_hours",
                    type="number",
                    default_value=s.lookback_hours,
                    hint="Kept for later; nothing uses it yet.",
                ),
                field(
                    "Retention, days",
                    "retention_days",
                    type="number",
                    default_value=s.retention_days,
                    hint="Kept for later; nothing is deleted yet.",
                ),
                class_name="columns",
            ),
            field_error(s.errors, "time_zone"),
            field_error(s.errors, "lookback_hours"),
            field_error(s.errors, "retention_days"),
            rx.el.datalist(*(rx.el.option(value=zone) for zone in sorted(available_timezones()) if "/" in zone), id="zones"),
            rx.el.div(rx.el.button("Save", type="submit", class_name="button primary"), class_name="row end"),
            on_submit=s.save,
            class_name="form",
            aria_label="General settings",
            no_validate=True,
            key=f"{s.name}{s.time_zone}{s.lookback_hours}{s.retention_days}",
        ),
    )


def _end() -> rx.Component:
    return rx.cond(
        ShellState.role == "owner",
        rx.el.section(
            rx.el.h2("Delete the organization"),
            rx.el.p("All its services, tokens, deploys and people's access go with it. It cannot be undone."),
            Confirm.create(
                trigger="Delete organization",
                title="Delete the organization?",
                text="Every service, deploy, token and setting of it is deleted. People who belong to no other organization lose their account.",
                action="Delete for good",
                danger=True,
                typed=OrganizationState.name,
                on_confirm=OrganizationState.delete,
            ),
            class_name="danger-zone",
        ),
    )
