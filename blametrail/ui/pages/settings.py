"""Settings of the organization: general, people, and its end."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID
from zoneinfo import available_timezones

import reflex as rx

from blametrail.accounts import members, organizations
from blametrail.accounts.roles import WHAT_ROLES_DO, Actor, Role
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, OneTimeSecret, When
from blametrail.ui.parts.fields import choice, field
from blametrail.ui.parts.vars import has_key
from blametrail.ui.shell import ShellState, shell, show_actor

INVITABLE = [Role.RESPONDER.value, Role.VIEWER.value, Role.ADMIN.value]


class MemberRow(TypedDict):
    id: str
    name: str
    email: str
    role: str
    joined_at: str
    is_me: bool


class InvitationRow(TypedDict):
    id: str
    email: str
    role: str
    invited_by: str
    expires_at: str


class SettingsState(rx.State):
    ready: bool = False
    name: str = ""
    time_zone: str = ""
    lookback_hours: str = ""
    retention_days: str = ""
    errors: dict[str, str] = {}
    members: list[MemberRow] = []
    invitations: list[InvitationRow] = []

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "organization", "people")
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
    @action(Role.ADMIN)
    async def change_role(self, actor: Actor, member_id: str, role: str) -> None:
        await database().write(actor.organization_id, members.change_role, actor, UUID(member_id), role)
        await tell(self, f"The role is {role} now.")

    @rx.event
    @action(Role.ADMIN)
    async def remove(self, actor: Actor, member_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, members.remove, actor, UUID(member_id))
        await tell(self, "Removed. Open tabs of that person stop working at once.")

    @rx.event
    @action(Role.VIEWER)
    async def leave(self, actor: Actor, member_id: str, confirmation: str) -> Any:
        """Everybody may leave, but the owner."""
        await database().write(actor.organization_id, members.remove, actor, UUID(member_id))
        return rx.redirect("/login")

    @rx.event
    @action(Role.ADMIN)
    async def withdraw(self, actor: Actor, invitation_id: str) -> None:
        await database().write(actor.organization_id, members.withdraw, actor, UUID(invitation_id))
        await tell(self, "The invitation is withdrawn; its link opens nothing any more.")

    @rx.event
    @action(Role.OWNER)
    async def transfer(self, actor: Actor, member_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, organizations.transfer, actor, UUID(member_id))
        await tell(self, "The ownership is transferred. You are an admin now.")
        await show_actor(self, actor)

    @rx.event
    @action(Role.OWNER)
    async def delete(self, actor: Actor, typed: str) -> Any:
        await database().write(actor.organization_id, organizations.delete, actor, typed)
        return rx.redirect("/login")

    async def _refresh(self, actor: Actor) -> None:
        shown = await database().read(actor.organization_id, _load, actor)
        for name, value in shown.items():
            setattr(self, name, value)
        self.ready = True


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var; addresses of people for members only."""
    view = organizations.view(session, actor.organization_id)
    invitations = members.list_invitations(session) if actor.role.includes(Role.ADMIN) else []
    return {
        "name": view.name,
        "time_zone": view.time_zone,
        "lookback_hours": str(view.lookback_hours),
        "retention_days": str(view.retention_days),
        "members": [
            MemberRow(id=m.id, name=m.name, email=m.email, role=m.role, joined_at=m.joined_at.isoformat(), is_me=m.is_me)
            for m in members.list_members(session, actor)
        ],
        "invitations": [
            InvitationRow(id=i.id, email=i.email, role=i.role, invited_by=i.invited_by, expires_at=i.expires_at.isoformat())
            for i in invitations
        ],
    }


def _number(form: dict[str, Any], name: str) -> int:
    try:
        return int(str(form.get(name, "")))
    except ValueError:
        return -1


def page() -> rx.Component:
    return shell(
        "Settings",
        rx.cond(
            SettingsState.ready,
            rx.el.div(_people(), _invitations(), _general(), _end(), class_name="settings-page"),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
        actions=rx.el.a("Your account", href="/account", class_name="button"),
    )


def _people() -> rx.Component:
    return rx.el.section(
        rx.el.h2("People"),
        rx.el.ul(rx.foreach(SettingsState.members, _member), class_name="people"),
        rx.el.details(
            rx.el.summary("What the roles may do"),
            rx.el.dl(
                *(rx.fragment(rx.el.dt(role.value), rx.el.dd(what)) for role, what in WHAT_ROLES_DO.items()), class_name="facts"
            ),
            class_name="disclosure",
        ),
    )


def _member(m: rx.Var[MemberRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(m["name"]),
            rx.cond(m["is_me"], rx.el.span(" (you)", class_name="muted"), rx.fragment()),
            rx.el.br(),
            rx.el.small(m["email"], " · joined ", When.create(at=m["joined_at"], short=True), class_name="muted"),
        ),
        rx.el.div(
            rx.cond(
                may_administer() & (m["role"] != "owner") & ~m["is_me"],
                rx.fragment(
                    rx.el.select(
                        *(rx.el.option(role, value=role) for role in INVITABLE),
                        value=m["role"],
                        on_change=lambda role: SettingsState.change_role(m["id"], role),
                        aria_label=f"Role of {m['name']}",
                    ),
                    rx.cond(
                        ShellState.role == "owner",
                        Confirm.create(
                            trigger="Make owner",
                            title="Transfer the ownership?",
                            text=f"{m['name']} becomes the owner of this organization; you become an admin.",
                            action="Transfer",
                            on_confirm=lambda typed: SettingsState.transfer(m["id"], typed),
                        ),
                    ),
                    Confirm.create(
                        trigger="Remove",
                        title="Remove from the organization?",
                        text=f"{m['name']} loses access at once, in open tabs too. What they did stays.",
                        action="Remove",
                        danger=True,
                        on_confirm=lambda typed: SettingsState.remove(m["id"], typed),
                    ),
                ),
                rx.fragment(
                    rx.el.span(m["role"], class_name="badge"),
                    rx.cond(
                        m["is_me"] & (m["role"] != "owner"),
                        Confirm.create(
                            trigger="Leave",
                            title="Leave the organization?",
                            text="You lose access at once. To come back you need an invitation.",
                            action="Leave",
                            danger=True,
                            on_confirm=lambda typed: SettingsState.leave(m["id"], typed),
                        ),
                    ),
                ),
            ),
            class_name="row",
        ),
        key=m["id"],
    )


def _invitations() -> rx.Component:
    return rx.cond(
        may_administer(),
        rx.el.section(
            rx.el.h2("Invite somebody"),
            ApiForm.create(
                rx.el.div(
                    field("E-mail", "email", type="email", required=True, auto_complete="off"),
                    choice("Role", "role", INVITABLE),
                    rx.el.button("Invite", type="submit", class_name="button primary"),
                    class_name="columns end",
                ),
                action="/form/invite",
                reset_on_done=True,
                label="Invite",
            ),
            OneTimeSecret.create(
                of="invitation", label="The invitation link", hint="It is shown once, works once, for 7 days."
            ),
            rx.el.ul(rx.foreach(SettingsState.invitations, _invitation), class_name="people"),
        ),
    )


def _invitation(i: rx.Var[InvitationRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(i["email"]),
            rx.el.span(" as ", i["role"]),
            rx.el.br(),
            rx.el.small("by ", i["invited_by"], " · ends ", When.create(at=i["expires_at"]), class_name="muted"),
        ),
        rx.el.button("Withdraw", type="button", on_click=SettingsState.withdraw(i["id"]), class_name="button"),
        key=i["id"],
    )


def _general() -> rx.Component:
    s = SettingsState

    def wrong(name: str) -> rx.Component:
        return rx.cond(has_key(s.errors, name), rx.el.span(s.errors[name], class_name="field-error", role="alert"))

    return rx.cond(
        may_administer(),
        rx.el.section(
            rx.el.h2("General"),
            rx.el.form(
                field("Name", "name", default_value=s.name, max_length=100),
                wrong("name"),
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
                        hint="How far back suspects are searched.",
                    ),
                    field(
                        "Retention, days",
                        "retention_days",
                        type="number",
                        default_value=s.retention_days,
                        hint="How long deploys and incidents are kept.",
                    ),
                    class_name="columns",
                ),
                wrong("time_zone"),
                wrong("lookback_hours"),
                wrong("retention_days"),
                rx.el.datalist(
                    *(rx.el.option(value=zone) for zone in sorted(available_timezones()) if "/" in zone), id="zones"
                ),
                rx.el.div(rx.el.button("Save", type="submit", class_name="button primary"), class_name="row end"),
                on_submit=s.save,
                class_name="form",
                aria_label="General settings",
                no_validate=True,
                key=f"{s.name}{s.time_zone}{s.lookback_hours}{s.retention_days}",
            ),
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
                typed=SettingsState.name,
                on_confirm=SettingsState.delete,
            ),
            class_name="danger-zone",
        ),
    )
