"""The people of the organization: roles, invitations, and who leaves."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts import members, organizations
from blametrail.accounts.roles import WHAT_ROLES_DO, Actor, Role
from blametrail.kit.db import ScopedSession, database
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.pages.services import may_administer
from blametrail.ui.parts.browser import ApiForm, Confirm, OneTimeSecret, When
from blametrail.ui.parts.fields import choice, field
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.parts.vars import fill
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


class PeopleState(rx.State):
    ready: bool = False
    members: list[MemberRow] = []
    invitations: list[InvitationRow] = []

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "people")
        await self._refresh(actor)

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

    async def _refresh(self, actor: Actor) -> None:
        await fill(self, PeopleState, await database().read(actor.organization_id, _load, actor))


def _load(session: ScopedSession, actor: Actor) -> dict[str, Any]:
    """Everything the page shows, by the name of its var; invitations for admins only."""
    invitations = members.list_invitations(session) if actor.role.includes(Role.ADMIN) else []
    return {
        "ready": True,
        "members": [
            MemberRow(id=m.id, name=m.name, email=m.email, role=m.role, joined_at=m.joined_at.isoformat(), is_me=m.is_me)
            for m in members.list_members(session, actor)
        ],
        "invitations": [
            InvitationRow(id=i.id, email=i.email, role=i.role, invited_by=i.invited_by, expires_at=i.expires_at.isoformat())
            for i in invitations
        ],
    }


def page() -> rx.Component:
    return shell(
        "Settings",
        settings_tabs(),
        rx.cond(
            PeopleState.ready,
            rx.el.div(_people(), _invitations(), class_name="settings-page"),
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
        ),
    )


def _people() -> rx.Component:
    return rx.el.section(
        rx.el.h2("People"),
        rx.el.ul(rx.foreach(PeopleState.members, _member), class_name="people"),
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
                        on_change=lambda role: PeopleState.change_role(m["id"], role),
                        aria_label=f"Role of {m['name']}",
                    ),
                    rx.cond(
                        ShellState.role == "owner",
                        Confirm.create(
                            trigger="Make owner",
                            title="Transfer the ownership?",
                            text=f"{m['name']} becomes the owner of this organization; you become an admin.",
                            action="Transfer",
                            on_confirm=lambda typed: PeopleState.transfer(m["id"], typed),
                        ),
                    ),
                    Confirm.create(
                        trigger="Remove",
                        title="Remove from the organization?",
                        text=f"{m['name']} loses access at once, in open tabs too. What they did stays.",
                        action="Remove",
                        danger=True,
                        on_confirm=lambda typed: PeopleState.remove(m["id"], typed),
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
                            on_confirm=lambda typed: PeopleState.leave(m["id"], typed),
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
            rx.el.ul(rx.foreach(PeopleState.invitations, _invitation), class_name="people"),
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
        rx.el.button("Withdraw", type="button", on_click=PeopleState.withdraw(i["id"]), class_name="button"),
        key=i["id"],
    )
