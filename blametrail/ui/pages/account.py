"""One's own account: password, sessions, further organizations."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts import organizations, sessions
from blametrail.accounts.passwords import SHORTEST
from blametrail.accounts.roles import Actor, Role
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.parts.browser import ApiForm, When
from blametrail.ui.parts.fields import field
from blametrail.ui.parts.settings_tabs import settings_tabs
from blametrail.ui.shell import shell, show_actor


class SessionRow(TypedDict):
    id: str
    address: str
    browser: str
    seen_at: str
    created_at: str
    current: bool


class AccountState(rx.State):
    ready: bool = False
    sessions: list[SessionRow] = []

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.unsubscribe(self)
        await self._refresh(actor)

    @rx.event
    @action(Role.VIEWER)
    async def revoke(self, actor: Actor, session_id: str) -> Any:
        await database().write(EVERY_ORGANIZATION, sessions.revoke, actor, UUID(session_id))
        if session_id == str(actor.session_id):
            return rx.redirect("/login")
        await self._refresh(actor)
        await tell(self, "That session has ended.")
        return None

    @rx.event
    @action(Role.VIEWER)
    async def found_organization(self, actor: Actor, form: dict[str, Any]) -> Any:
        """A further organization, owned by its founder; the session goes on in it."""
        made = await database().write(
            EVERY_ORGANIZATION, organizations.found, actor.person_id, str(form.get("organization", ""))
        )
        await database().write(EVERY_ORGANIZATION, sessions.switch, actor, made)
        return rx.redirect("/")

    async def _refresh(self, actor: Actor) -> None:
        found = await database().read(EVERY_ORGANIZATION, sessions.of, actor)
        self.sessions = [
            SessionRow(
                id=s.id,
                address=s.address,
                browser=_browser(s.user_agent),
                seen_at=s.seen_at.isoformat(),
                created_at=s.created_at.isoformat(),
                current=s.current,
            )
            for s in found
        ]
        self.ready = True


def _browser(user_agent: str) -> str:
    """The browser's name in a word, from what it says of itself."""
    names = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
    return next((name for mark, name in names if mark in user_agent), user_agent.partition("/")[0] or "Unknown")


def page() -> rx.Component:
    return shell(
        "Your account",
        settings_tabs(),
        rx.el.section(
            rx.el.h2("Sessions"),
            rx.el.p("Where you are signed in. A session ends by itself after 14 days without use.", class_name="muted"),
            rx.el.ul(rx.foreach(AccountState.sessions, _session), class_name="people"),
        ),
        rx.el.section(
            rx.el.h2("Password"),
            ApiForm.create(
                field("Current password", "current_password", type="password", auto_complete="current-password"),
                field(
                    "New password",
                    "new_password",
                    type="password",
                    auto_complete="new-password",
                    hint=f"At least {SHORTEST} characters.",
                ),
                rx.el.div(rx.el.button("Change password", type="submit", class_name="button primary"), class_name="row end"),
                action="/form/password",
                reset_on_done=True,
                label="Change password",
                class_name="form",
            ),
        ),
        rx.el.section(
            rx.el.h2("Further organization"),
            rx.el.p("Organizations share nothing: not services, not deploys, not people.", class_name="muted"),
            rx.el.form(
                field("Name", "organization", max_length=100, required=True),
                rx.el.div(rx.el.button("Create organization", type="submit", class_name="button"), class_name="row end"),
                on_submit=AccountState.found_organization,
                class_name="form",
                aria_label="Further organization",
            ),
        ),
    )


def _session(s: rx.Var[SessionRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(s["browser"]),
            rx.el.span(" from ", s["address"]),
            rx.cond(s["current"], rx.el.span(" this session", class_name="badge"), rx.fragment()),
            rx.el.br(),
            rx.el.small("Seen ", When.create(at=s["seen_at"]), class_name="muted"),
        ),
        rx.el.button(
            rx.cond(s["current"], "Sign out", "End"), type="button", on_click=AccountState.revoke(s["id"]), class_name="button"
        ),
        key=s["id"],
    )
