"""Set-up, login and joining: the pages before one is signed in."""

from __future__ import annotations

from typing import Any

import reflex as rx

from blametrail.accounts import organizations
from blametrail.accounts.passwords import SHORTEST
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.ui.guard import current_actor, public
from blametrail.ui.parts.browser import ApiForm, Invitation
from blametrail.ui.parts.fields import field
from blametrail.ui.shell import door


class DoorState(rx.State):
    """Where to go on to after signing in."""

    next: str = "/"

    @rx.event
    @public
    async def open_login(self) -> Any:
        if await database().read(EVERY_ORGANIZATION, organizations.nobody_yet):
            return rx.redirect("/setup")
        self.next = self.router.url.query_parameters.get("next", "/")
        return rx.redirect("/") if await current_actor(self) else None

    @rx.event
    @public
    async def open_setup(self) -> Any:
        if not await database().read(EVERY_ORGANIZATION, organizations.nobody_yet):
            return rx.redirect("/login")
        return None


def login() -> rx.Component:
    return door(
        "Sign in",
        ApiForm.create(
            rx.el.input(type="hidden", name="next", value=DoorState.next, read_only=True),
            field("E-mail", "email", type="email", auto_complete="username", required=True),
            field("Password", "password", type="password", auto_complete="current-password", required=True),
            rx.el.button("Sign in", type="submit", class_name="button primary wide"),
            action="/form/login",
            hard=True,
            label="Sign in",
        ),
        rx.el.p("No account? Ask an admin of your organization for an invitation.", class_name="muted"),
    )


def setup() -> rx.Component:
    return door(
        "Set up BlameTrail",
        rx.el.p(
            "Nobody is here yet. You become the owner of the first organization; you can invite others later.",
            class_name="lede",
        ),
        ApiForm.create(
            field("Organization", "organization", placeholder="Acme", auto_complete="organization", required=True),
            field("Your name", "name", auto_complete="name"),
            field("E-mail", "email", type="email", auto_complete="username", required=True),
            field(
                "Password",
                "password",
                hint=f"At least {SHORTEST} characters.",
                type="password",
                auto_complete="new-password",
                required=True,
            ),
            rx.el.button("Create organization", type="submit", class_name="button primary wide"),
            action="/form/setup",
            hard=True,
            label="Set up",
        ),
    )


def join() -> rx.Component:
    return door(
        "Join",
        Invitation.create(
            ApiForm.create(
                rx.el.input(type="hidden", name="token", value="#", read_only=True),
                rx.el.div(field("Your name", "name", auto_complete="name"), class_name="only-new"),
                field("Password", "password", type="password", auto_complete="current-password", required=True),
                rx.el.button("Join", type="submit", class_name="button primary wide"),
                action="/form/join",
                hard=True,
                label="Join",
            ),
        ),
    )
