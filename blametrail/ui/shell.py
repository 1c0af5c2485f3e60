"""The frame around every page: who is signed in, navigation, messages, whether the page is live."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import reflex as rx
from reflex.components.core.banner import has_connection_errors

from blametrail.accounts import organizations, sessions
from blametrail.accounts.roles import Actor, Role
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.ui.guard import action, public
from blametrail.ui.parts.browser import ApiForm, LiveDot, ThemeSwitch, Toasts
from blametrail.ui.parts.palette import Palette
from blametrail.ui.parts.vars import count

PAGES = (
    ("Timeline", "/", "chart-gantt", "t"),
    ("Incidents", "/incidents", "siren", "i"),
    ("Deploys", "/deploys", "rocket", "d"),
    ("Changes", "/changes", "git-pull-request", "c"),
    ("Monitors", "/monitors", "activity", "m"),
    ("Services", "/services", "boxes", "s"),
    ("Settings", "/settings", "settings", ","),
)


class ShellState(rx.State):
    """What the frame shows; pages fill it in as they load."""

    name: str = ""
    email: str = ""
    role: str = ""
    organization: str = ""
    organization_id: str = ""
    organizations: list[dict[str, str]] = []
    toasts: list[dict[str, str]] = []
    found: list[dict[str, str]] = []
    _owner: str = ""

    @rx.event
    @public
    async def dismiss(self, toast_id: str) -> None:
        self.toasts = [toast for toast in self.toasts if toast["id"] != toast_id]

    @rx.event
    @action(Role.VIEWER)
    async def switch_organization(self, actor: Actor, organization_id: str) -> Any:
        await database().write(EVERY_ORGANIZATION, sessions.switch, actor, UUID(organization_id))
        return rx.redirect("/")

    @rx.event
    @action(Role.VIEWER)
    async def search(self, actor: Actor, words: str) -> None:
        """What the palette offers for the words typed."""
        from blametrail.ui.search import search_everything

        self.found = await search_everything(actor.organization_id, words)


def may_respond() -> Any:
    """Whether to offer what viewers may not do; the server decides by itself."""
    return (ShellState.role != "viewer") & (ShellState.role != "")


async def show_actor(state: rx.State, actor: Actor) -> None:
    """Fill the frame; every guarded page load calls this."""
    shell = await state.get_state(ShellState)
    shell.name, shell.email, shell.role = actor.name, actor.email, actor.role.value
    shell.organization, shell.organization_id = actor.organization, str(actor.organization_id)
    homes = await database().read(EVERY_ORGANIZATION, organizations.of_person, actor.person_id)
    shell.organizations = [{"id": id_, "name": name} for id_, name in homes]


def shell(title: str | rx.Var[str], *children: rx.Component, actions: rx.Component | None = None) -> rx.Component:
    """A page inside the frame, with its one heading."""
    return rx.el.div(
        rx.el.a("Skip to content", href="#main", class_name="skip-link"),
        _top_bar(),
        rx.el.main(
            rx.el.div(rx.el.h1(title), actions or rx.fragment(), class_name="page-head"),
            *children,
            id="main",
            tab_index=-1,
        ),
        messages(),
        Palette.create(
            pages=[{"title": name, "href": href, "key": key} for name, href, _, key in PAGES],
            found=ShellState.found,
            on_search=ShellState.search,
        ),
        class_name="app",
    )


def door(title: str, *children: rx.Component) -> rx.Component:
    """A page for people who are not signed in."""
    return rx.el.main(
        rx.el.div(rx.el.p(_mark(), "BlameTrail", class_name="brand"), rx.el.h1(title), *children, class_name="door-card"),
        messages(),
        id="main",
        class_name="door",
    )


def messages() -> rx.Component:
    return Toasts.create(items=ShellState.toasts, on_gone=ShellState.dismiss)


def _top_bar() -> rx.Component:
    return rx.el.header(
        rx.el.a(_mark(), rx.el.span("BlameTrail"), href="/", class_name="brand"),
        rx.el.nav(
            *(
                rx.el.a(
                    rx.icon(icon, size=16),
                    rx.el.span(name),
                    href=href,
                    class_name=rx.cond(_is_here(href), "nav-link here", "nav-link"),
                    custom_attrs={"aria-current": rx.cond(_is_here(href), "page", "false")},
                )
                for name, href, icon, _ in PAGES
            ),
            aria_label="Main",
        ),
        rx.el.div(
            LiveDot.create(offline=has_connection_errors),
            _person_menu(),
            class_name="top-end",
        ),
        class_name="top",
    )


def _is_here(href: str) -> rx.Var[bool]:
    path = rx.State.router.url.path
    return (path == "/") if href == "/" else path.startswith(href)


def _person_menu() -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            rx.el.span(ShellState.organization, class_name="org-name"), rx.icon("chevron-down", size=14), aria_label="Account"
        ),
        rx.el.div(
            rx.el.p(rx.el.strong(ShellState.name), rx.el.br(), ShellState.email, rx.el.br(), "Role: ", ShellState.role),
            rx.cond(
                count(ShellState.organizations) > 1,
                rx.el.div(
                    rx.el.p("Switch organization", class_name="muted"),
                    rx.foreach(
                        ShellState.organizations,
                        lambda o: rx.el.button(
                            o["name"],
                            on_click=ShellState.switch_organization(o["id"]),
                            class_name="menu-item",
                            disabled=o["id"] == ShellState.organization_id,
                        ),
                    ),
                ),
            ),
            ThemeSwitch.create(),
            rx.el.a("Your account", href="/account", class_name="menu-item"),
            ApiForm.create(
                rx.el.button("Sign out", type="submit", class_name="menu-item"),
                action="/form/logout",
                hard=True,
                label="Sign out",
            ),
            class_name="menu",
        ),
        class_name="person-menu",
    )


def _mark() -> rx.Component:
    """The sign of the product: a trail with one step that stands out."""
    return rx.el.svg(
        rx.el.path(d="M3 17c4 0 4-10 9-10s4 6 9 3", fill="none", stroke="currentColor", stroke_width="2"),
        rx.el.circle(cx="12", cy="7", r="3.2", fill="var(--accent)", stroke="none"),
        view_box="0 0 24 24",
        width="22",
        height="22",
        aria_hidden="true",
    )
