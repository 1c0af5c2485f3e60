"""What changed between two moments, and what was live at one; usable without an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.deploys.live_at import Live, live_at, targets
from blametrail.deploys.summaries import services_by_id
from blametrail.deploys.views import environments
from blametrail.deploys.what_changed import what_changed
from blametrail.kit.clock import now, to_micros
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import TakesTooLong
from blametrail.ui import live
from blametrail.ui.address import Address
from blametrail.ui.guard import action
from blametrail.ui.moments import Moments, read_moments
from blametrail.ui.parts.browser import MomentFields, When
from blametrail.ui.parts.changes import ChangeRow, LiveRow, change_item, change_row, live_item, live_row, rollbacks
from blametrail.ui.parts.deploy_filters import Chip, chips, choices
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

MOST_TARGETS = 200


class WhatChangedState(rx.State):
    """The moments that the address names, and what they show."""

    ready: bool = False
    trouble: str = ""
    is_one: bool = False
    start: int = 0
    end: int = 0
    start_at: str = ""
    end_at: str = ""
    follows_now: bool = True
    changed: list[ChangeRow] = []
    same: list[LiveRow] = []
    live_rows: list[LiveRow] = []
    deploy_count: int = 0
    rollback_count: int = 0
    hidden: int = 0
    chips: list[Chip] = []
    chosen_services: list[str] = []
    chosen_environments: list[str] = []
    service_names: list[str] = []
    environment_names: list[str] = []
    between_href: str = ""
    one_href: str = ""
    earlier_href: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "deploys", "services")
        await self._refresh(actor)

    @rx.event
    @action(Role.VIEWER)
    async def show_moments(self, actor: Actor, start: float, end: float) -> Any:
        return rx.redirect(_moments_of(self).at(start, end).href())

    @rx.event
    @action(Role.VIEWER)
    async def toggle(self, actor: Actor, kind: str, value: str) -> Any:
        """Add a service or environment, or take it away."""
        asked = _moments_of(self)
        chosen = asked.chosen.toggled(kind, value) if kind in {"services", "environments"} else asked.chosen
        return rx.redirect(replace(asked, chosen=chosen).href())

    @rx.event
    @action(Role.VIEWER)
    async def clear(self, actor: Actor) -> Any:
        return rx.redirect(replace(_moments_of(self), chosen=Address()).href())

    async def _refresh(self, actor: Actor) -> None:
        asked = _moments_of(self)

        async def load() -> dict[str, Any]:
            return await database().read(actor.organization_id, _load, asked, now())

        try:
            shown = await live.shared(actor.organization_id, ("what changed", asked.href()), load)
        except TakesTooLong as error:
            shown = {"ready": True, "trouble": error.message}
        await fill(self, WhatChangedState, shown)


def _moments_of(state: rx.State) -> Moments:
    return read_moments(state.router.url.query_parameters)


def _load(session: ScopedSession, asked: Moments, moment: datetime) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    known = services_by_id(session)
    filters = asked.chosen.filters({id_: service.name for id_, service in known.items()})
    found = targets(session, known, filters.services, filters.environments)
    wanted, (start, end) = found[:MOST_TARGETS], asked.span(moment)
    changes = [] if asked.is_one else what_changed(session, known, wanted, start, end)
    changed = [one for one in changes if one.deploy_count]
    return {
        "ready": True,
        "trouble": "",
        **_asked(asked, start, end, moment),
        "changed": [change_row(one, start, end) for one in changed],
        "same": [live_row(Live(one.target, one.after, None)) for one in changes if not one.deploy_count],
        "live_rows": [live_row(one) for one in live_at(session, known, wanted, end)] if asked.is_one else [],
        "deploy_count": sum(one.deploy_count for one in changed),
        "rollback_count": sum(one.rollback_count for one in changed),
        "hidden": len(found) - len(wanted),
        "service_names": [service.name for service in known.values()],
        "environment_names": environments(session),
    }


def _asked(asked: Moments, start: datetime, end: datetime, moment: datetime) -> dict[str, Any]:
    """What the controls show."""
    return {
        "is_one": asked.is_one,
        "start": to_micros(start) // 1000,
        "end": to_micros(end) // 1000,
        "start_at": start.isoformat(),
        "end_at": end.isoformat(),
        "follows_now": asked.follows_now,
        "chips": asked.chosen.chips(),
        "chosen_services": list(asked.chosen.services),
        "chosen_environments": list(asked.chosen.environments),
        "between_href": replace(asked, is_one=False).href(),
        "one_href": replace(asked, is_one=True).href(),
        "earlier_href": asked.earlier(moment).href(),
    }


def page() -> rx.Component:
    s = WhatChangedState
    return shell(
        rx.cond(s.is_one, "What was live", "What changed"),
        rx.cond(
            ~s.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            rx.cond(
                count(s.service_names) == 0,
                _no_service(),
                rx.fragment(
                    _controls(), rx.cond(s.trouble != "", rx.el.p(s.trouble, class_name="empty", role="alert"), _found())
                ),
            ),
        ),
        actions=_modes(),
    )


def _modes() -> rx.Component:
    s = WhatChangedState
    return rx.el.nav(
        *(
            rx.el.a(
                words,
                href=href,
                class_name=rx.cond(here, "tab here", "tab"),
                custom_attrs={"aria-current": rx.cond(here, "page", "false")},
            )
            for words, href, here in (
                ("Between two moments", s.between_href, ~s.is_one),
                ("At one moment", s.one_href, s.is_one),
            )
        ),
        aria_label="What to ask",
        class_name="modes",
    )


def _controls() -> rx.Component:
    s = WhatChangedState
    return rx.fragment(
        MomentFields.create(start=s.start, end=s.end, one=s.is_one, on_show=s.show_moments),
        rx.el.div(
            choices("Service", s.service_names, s.chosen_services, lambda name: s.toggle("services", name)),
            choices("Environment", s.environment_names, s.chosen_environments, lambda name: s.toggle("environments", name)),
            class_name="filter-bar",
        ),
        chips(s.chips, s.toggle, s.clear),
    )


def _found() -> rx.Component:
    s = WhatChangedState
    return rx.el.div(
        rx.cond(
            s.hidden > 0,
            rx.el.p(s.hidden, " more services and environments are not shown. Filter to see them.", class_name="note"),
        ),
        rx.cond(s.is_one, _what_was_live(), _what_changed()),
    )


def _what_was_live() -> rx.Component:
    s = WhatChangedState
    return rx.el.section(
        rx.el.p("Live ", _moment(s.end_at), class_name="lede", role="status"),
        rx.cond(
            count(s.live_rows) > 0, rx.el.ul(rx.foreach(s.live_rows, live_item), class_name="service-list"), _nothing_fits()
        ),
        aria_label="What was live",
    )


def _what_changed() -> rx.Component:
    s = WhatChangedState
    return rx.fragment(
        rx.el.p(
            "From ", When.create(at=s.start_at), " to ", _moment(s.end_at), ": ",
            rx.el.strong(s.deploy_count, rx.cond(s.deploy_count == 1, " deploy", " deploys")),
            rx.cond(s.rollback_count > 0, rx.fragment(", ", rollbacks(s.rollback_count), " among them")),
            ".",
            class_name="lede",
            role="status",
        ),
        rx.cond(
            count(s.changed) > 0,
            rx.el.ul(rx.foreach(s.changed, change_item), class_name="changes"),
            rx.cond(count(s.same) > 0, _nothing_changed(), _nothing_fits()),
        ),
        rx.cond(
            count(s.same) > 0,
            rx.el.details(
                rx.el.summary(count(s.same), " the same as before"),
                rx.el.ul(rx.foreach(s.same, live_item), class_name="service-list"),
                class_name="disclosure",
            ),
        ),
    )  # fmt: skip


def _moment(at: rx.Var[str]) -> rx.Component:
    return rx.cond(WhatChangedState.follows_now, rx.el.span("now"), When.create(at=at))


def _nothing_changed() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Nothing was deployed between these moments"),
        rx.el.p("What was live at the first was still live at the second."),
        rx.el.a("Look one day further back", href=WhatChangedState.earlier_href, class_name="button"),
        class_name="empty",
    )


def _nothing_fits() -> rx.Component:
    return rx.el.section(
        rx.el.h2("No service fits these filters"),
        rx.el.p("Drop one of the filters above, or clear all of them."),
        class_name="empty",
    )


def _no_service() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Nothing is deployed here yet"),
        rx.el.p("Once CI posts deploys, this page says what was live at any moment, and what changed between two."),
        rx.el.a("Create your first service", href="/services/new", class_name="button primary"),
        class_name="empty",
    )
