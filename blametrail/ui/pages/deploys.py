"""All deploys as a list: the same filters as the timeline, page by page, live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys import find
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import TakesTooLong
from blametrail.ui import live
from blametrail.ui.address import Address, read_address
from blametrail.ui.guard import action
from blametrail.ui.moments import Moments
from blametrail.ui.parts.browser import ScrollMark, When
from blametrail.ui.parts.deploy_filters import (
    DeployFilters,
    address_of,
    filter_bar,
    filter_vars,
    go,
    show_trouble,
    unless_trouble,
)
from blametrail.ui.parts.deploys import DeployRow, deploy_row, deploy_table
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

MOST_ROWS = 1_000


class DeploysState(rx.State):
    """The pages shown so far; newer deploys wait while the reader has scrolled."""

    ready: bool = False
    rows: list[DeployRow] = []
    count: int = 0
    fresh: int = 0
    next_cursor: str = ""
    bounded: bool = False
    start_at: str = ""
    end_at: str = ""
    between_href: str = ""
    _reading: bool = False

    @rx.var
    def timeline_href(self) -> str:
        """The same filters as a timeline: by the address itself (named here, or the framework does not notice that it
        changed), so that it is right before anything is found."""
        return f"/{read_address(self.router.url.query_parameters).query()}"

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "deploys", "services")
        self._reading = False
        await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def note_reading(self, actor: Actor, reading: bool) -> None:
        """Whether the reader has scrolled on; back at the top, what waited is shown."""
        self._reading = reading
        if not reading and self.fresh:
            await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def show_fresh(self, actor: Actor) -> None:
        await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def more(self, actor: Actor) -> None:
        if not self.next_cursor or len(self.rows) >= MOST_ROWS:
            return
        found = await database().read(actor.organization_id, _find, address_of(self), self.next_cursor)
        self.rows = [*self.rows, *found["page"]["rows"]]
        self.next_cursor = found["page"]["next_cursor"]

    @rx.event
    @action(Role.VIEWER)
    async def any_time(self, actor: Actor) -> Any:
        return go(self, replace(address_of(self), start=None, end=None))

    async def _refresh(self, actor: Actor) -> None:
        """Live: nothing that is being read moves; what is new is counted."""
        if not self._reading and len(self.rows) <= find.PAGE:
            await self._show(actor)
            return
        found = await self._find(actor)
        known = {row["id"] for row in self.rows}
        self.fresh = sum(row["id"] not in known for row in found["page"]["rows"])

    async def _show(self, actor: Actor) -> None:
        try:
            found = await self._find(actor)
        except TakesTooLong as error:
            await show_trouble(self, actor, error)
            self.ready = True
            return
        await fill(self, DeployFilters, found["filters"])
        await fill(self, DeploysState, found["page"])

    async def _find(self, actor: Actor) -> dict[str, Any]:
        address = address_of(self)
        key = ("deploys", address.query())
        found: dict[str, Any] = await live.shared(
            actor.organization_id, key, lambda: database().read(actor.organization_id, _find, address, "")
        )
        return found


def _find(session: ScopedSession, address: Address, cursor: str) -> dict[str, Any]:
    names = services.names(session)
    window = None if address.follows_now else address.window(now())
    filters = address.filters(names)
    page = find.find_deploys(session, filters, window, cursor)
    return {
        "filters": filter_vars(session, address, names),
        "page": {
            "ready": True,
            "rows": [deploy_row(d) for d in page.deploys],
            "count": find.count_deploys(session, filters, window),
            "fresh": 0,
            "next_cursor": page.next_cursor,
            "bounded": window is not None,
            "start_at": window.start.isoformat() if window else "",
            "end_at": window.end.isoformat() if window else "",
            "between_href": Moments(address.start, address.end, chosen=address).href(),
        },
    }


def page() -> rx.Component:
    return shell(
        "Deploys",
        ScrollMark.create(on_reading=DeploysState.note_reading),
        filter_bar(),
        rx.cond(
            DeploysState.bounded,
            rx.el.p(
                "From ",
                When.create(at=DeploysState.start_at),
                " to ",
                When.create(at=DeploysState.end_at),
                " ",
                rx.el.button("Any time", type="button", on_click=DeploysState.any_time, class_name="link-button"),
                class_name="muted",
            ),
        ),
        rx.el.div(
            rx.cond(
                DeploysState.fresh > 0,
                rx.el.a(DeploysState.fresh, " new", href="#main", on_click=DeploysState.show_fresh, class_name="pill floating"),
            ),
            role="status",
        ),
        rx.cond(
            ~DeploysState.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            unless_trouble(rx.cond(count(DeploysState.rows) > 0, _list(), _nothing())),
        ),
        actions=rx.cond(
            DeploysState.ready,
            rx.el.div(
                rx.el.a("What changed between…", href=DeploysState.between_href),
                rx.el.a("As a timeline", href=DeploysState.timeline_href, class_name="button"),
                class_name="row",
            ),
        ),
    )


def _list() -> rx.Component:
    return rx.fragment(
        rx.el.p(DeploysState.count, rx.cond(DeploysState.count == 1, " deploy", " deploys"), class_name="muted"),
        deploy_table(DeploysState.rows, "Deploys, newest first"),
        rx.cond(
            DeploysState.next_cursor != "",
            rx.cond(
                count(DeploysState.rows) < MOST_ROWS,
                rx.el.button("Show older", type="button", on_click=DeploysState.more, class_name="button"),
                rx.el.p("Filter, or choose a time on the timeline, to see older ones.", class_name="muted"),
            ),
        ),
    )


def _nothing() -> rx.Component:
    return rx.el.section(
        rx.cond(
            count(DeployFilters.chips) > 0,
            rx.fragment(
                rx.el.h2("No deploy fits these filters"),
                rx.el.p("Drop one of the filters above, or clear all of them."),
            ),
            rx.fragment(
                rx.el.h2("No deploys yet"),
                rx.el.p(
                    rx.el.span(class_name="listening", aria_hidden="true"),
                    "Listening. The first deploy appears here the moment CI posts it.",
                ),
                rx.el.a("Set up a service", href="/services", class_name="button primary"),
            ),
        ),
        class_name="empty",
    )
