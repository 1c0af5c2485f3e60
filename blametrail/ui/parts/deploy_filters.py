"""The bar that filters deploys, the same on the timeline and on the list; its state is the address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys.views import environments
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import TakesTooLong
from blametrail.ui.address import TEXT_FIELDS, Address, read_address
from blametrail.ui.guard import action
from blametrail.ui.parts.vars import count, fill


class Chip(TypedDict):
    kind: str
    value: str
    label: str


class DeployFilters(rx.State):
    """The filters in force, and what there is to choose from; each change is a new address of the same page."""

    chips: list[Chip] = []
    texts: dict[str, str] = dict.fromkeys(TEXT_FIELDS, "")
    chosen_services: list[str] = []
    chosen_environments: list[str] = []
    service_names: list[str] = []
    environment_names: list[str] = []
    trouble: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def toggle(self, actor: Actor, kind: str, value: str) -> Any:
        """Add a service or environment, or take it away; a text is taken away."""
        address = address_of(self)
        return go(self, address.toggled(kind, value) if kind in {"services", "environments"} else address.with_text(kind, ""))

    @rx.event
    @action(Role.VIEWER)
    async def search(self, actor: Actor, form: dict[str, Any]) -> Any:
        address = address_of(self)
        for name in TEXT_FIELDS:
            address = address.with_text(name, str(form.get(name, "")))
        return go(self, address)

    @rx.event
    @action(Role.VIEWER)
    async def clear(self, actor: Actor) -> Any:
        return go(self, replace(address_of(self), services=(), environments=(), texts={}))


def address_of(state: rx.State) -> Address:
    """What the address of the page says."""
    return read_address(state.router.url.query_parameters)


def go(state: rx.State, address: Address) -> Any:
    """To the same page with another address."""
    path = "/deploys" if state.router.url.path.startswith("/deploys") else "/"
    return rx.redirect(f"{path}{address.query()}")


def filter_vars(session: ScopedSession, address: Address, names: Mapping[UUID, str]) -> dict[str, Any]:
    """What the bar shows, by the name of its var."""
    return {
        "chips": address.chips(),
        "texts": {name: address.texts.get(name, "") for name in TEXT_FIELDS},
        "chosen_services": list(address.services),
        "chosen_environments": list(address.environments),
        "service_names": sorted(names.values(), key=str.lower),
        "environment_names": environments(session),
        "trouble": "",
    }


async def show_trouble(page: rx.State, actor: Actor, error: TakesTooLong) -> None:
    """Show the filters with what is wrong with them, in the place of what they would find."""

    def read(session: ScopedSession) -> dict[str, Any]:
        return filter_vars(session, address_of(page), services.names(session))

    await fill(page, DeployFilters, await database().read(actor.organization_id, read) | {"trouble": error.message})


def unless_trouble(found: rx.Component) -> rx.Component:
    return rx.cond(DeployFilters.trouble != "", rx.el.p(DeployFilters.trouble, class_name="empty", role="alert"), found)


def filter_bar() -> rx.Component:
    """What to choose, then the filters in force, each removable."""
    s = DeployFilters
    return rx.fragment(
        rx.el.div(
            choices("Service", s.service_names, s.chosen_services, lambda name: s.toggle("services", name)),
            choices("Environment", s.environment_names, s.chosen_environments, lambda name: s.toggle("environments", name)),
            _text_filters(),
            class_name="filter-bar",
        ),
        chips(s.chips, s.toggle, s.clear),
    )


def chips(shown: rx.Var[list[Chip]], drop: Any, clear: Any) -> rx.Component:
    """The filters in force; `drop` takes the kind and the value of one."""
    return rx.cond(
        count(shown) > 0,
        rx.el.div(
            rx.foreach(
                shown,
                lambda chip: rx.el.button(
                    chip["label"],
                    rx.icon("x", size=12, aria_hidden="true"),
                    on_click=drop(chip["kind"], chip["value"]),
                    class_name="chip",
                    type="button",
                    aria_label=f"Drop the filter {chip['label']}",
                ),
            ),
            rx.el.button("Clear all", on_click=clear, class_name="link-button", type="button"),
            class_name="chips",
            role="group",
            aria_label="Filters in force",
        ),
    )


def choices(title: str, options: rx.Var[list[str]], chosen: rx.Var[list[str]], toggle: Callable[[Any], Any]) -> rx.Component:
    """A drop-down of checkboxes, in plain HTML."""
    return rx.el.details(
        rx.el.summary(title, rx.icon("chevron-down", size=14)),
        rx.el.div(
            rx.foreach(
                options,
                lambda name: rx.el.label(
                    rx.el.input(
                        type="checkbox",
                        checked=chosen.contains(name),
                        on_change=lambda _: toggle(name),
                    ),
                    name,
                    class_name="check",
                ),
            ),
            class_name="menu",
        ),
        class_name="dropdown",
    )


def _text_filters() -> rx.Component:
    """Text, branch and author; applied with Enter or the button."""
    texts = DeployFilters.texts
    return rx.el.form(
        _text_filter("q", "Search message, version or commit", "search"),
        _text_filter("branch", "Branch"),
        _text_filter("author", "By"),
        rx.el.button("Apply", type="submit", class_name="button"),
        on_submit=DeployFilters.search,
        role="search",
        class_name="text-filters",
        key=f"{texts['q']}~{texts['branch']}~{texts['author']}",
    )


def _text_filter(name: str, label: str, kind: str = "text") -> rx.Component:
    value = DeployFilters.texts[name]
    return rx.el.input(name=name, type=kind, placeholder=label, aria_label=label, default_value=value, max_length=200)
