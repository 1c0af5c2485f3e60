"""All incidents: what is open first, then the others, filtered by the address, live."""

from __future__ import annotations

from typing import Any

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.deploys.views import environments
from blametrail.incidents.find import PAGE, count_incidents, list_incidents
from blametrail.incidents.states import Severity, Status
from blametrail.kit.db import ScopedSession, database
from blametrail.ui import live
from blametrail.ui.guard import action
from blametrail.ui.incident_address import NAMES, IncidentAddress, read_incident_address
from blametrail.ui.parts.browser import ScrollMark
from blametrail.ui.parts.deploy_filters import Chip, chips, choices
from blametrail.ui.parts.incidents import IncidentRow, incident_row, incident_table
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import may_respond, shell, show_actor

MOST_ROWS = 1_000


class IncidentsState(rx.State):
    """The pages shown so far; newer incidents wait while the reader has scrolled."""

    ready: bool = False
    rows: list[IncidentRow] = []
    count: int = 0
    fresh: int = 0
    next_cursor: str = ""
    chips: list[Chip] = []
    text: str = ""
    chosen: dict[str, list[str]] = {kind: [] for kind in NAMES}
    service_names: list[str] = []
    environment_names: list[str] = []
    _reading: bool = False

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "incidents", "services")
        self._reading = False
        await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def toggle(self, actor: Actor, kind: str, value: str) -> Any:
        return rx.redirect(self._address().toggled(kind, value).href())

    @rx.event
    @action(Role.VIEWER)
    async def search(self, actor: Actor, form: dict[str, Any]) -> Any:
        return rx.redirect(self._address().with_text(str(form.get("q", ""))).href())

    @rx.event
    @action(Role.VIEWER)
    async def clear(self, actor: Actor) -> Any:
        return rx.redirect(IncidentAddress().href())

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
        found = await database().read(actor.organization_id, _find, self._address(), self.next_cursor)
        self.rows = [*self.rows, *found["rows"]]
        self.next_cursor = found["next_cursor"]

    async def _refresh(self, actor: Actor) -> None:
        """Live: nothing that is being read moves; what is new is counted, what is shown is kept up to date."""
        if not self._reading and len(self.rows) <= PAGE:
            await self._show(actor)
            return
        newer = {row["id"]: row for row in (await self._find(actor))["rows"]}
        known = {row["id"] for row in self.rows}
        self.fresh = len(newer.keys() - known)
        self.rows = [newer.get(row["id"], row) for row in self.rows]

    async def _show(self, actor: Actor) -> None:
        await fill(self, IncidentsState, await self._find(actor))

    async def _find(self, actor: Actor) -> dict[str, Any]:
        address = self._address()
        found: dict[str, Any] = await live.shared(
            actor.organization_id, ("incidents", address), lambda: database().read(actor.organization_id, _find, address, "")
        )
        return found

    def _address(self) -> IncidentAddress:
        return read_incident_address(self.router.url.query_parameters)


def _find(session: ScopedSession, address: IncidentAddress, cursor: str) -> dict[str, Any]:
    names = services.names(session)
    filters = address.filters(names)
    page = list_incidents(session, filters, cursor)
    return {
        "ready": True,
        "rows": [incident_row(i) for i in page.incidents],
        "count": count_incidents(session, filters),
        "fresh": 0,
        "next_cursor": page.next_cursor,
        "chips": address.chips(),
        "text": address.text,
        "chosen": {kind: list(getattr(address, kind)) for kind in NAMES},
        "service_names": sorted(names.values(), key=str.lower),
        "environment_names": environments(session),
    }


def page() -> rx.Component:
    s = IncidentsState
    return shell(
        "Incidents",
        ScrollMark.create(on_reading=s.note_reading),
        _filters(),
        rx.el.div(
            rx.cond(
                s.fresh > 0,
                rx.el.a(s.fresh, " new", href="#main", on_click=s.show_fresh, class_name="pill floating"),
            ),
            role="status",
        ),
        rx.cond(
            ~s.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            rx.cond(count(s.rows) > 0, _list(), _nothing()),
        ),
        actions=rx.cond(may_respond(), rx.el.a("Open an incident", href="/incidents/new", class_name="button")),
    )


def _filters() -> rx.Component:
    s = IncidentsState
    return rx.fragment(
        rx.el.div(
            _choices("Status", "statuses", list(Status)),
            _choices("Severity", "severities", list(Severity)),
            _choices("Service", "services", s.service_names),
            _choices("Environment", "environments", s.environment_names),
            rx.el.form(
                rx.el.input(
                    name="q",
                    type="search",
                    placeholder="Search title, error or endpoint",
                    aria_label="Search title, error or endpoint",
                    default_value=s.text,
                    max_length=200,
                ),
                rx.el.button("Apply", type="submit", class_name="button"),
                on_submit=s.search,
                role="search",
                class_name="text-filters",
                key=s.text,
            ),
            class_name="filter-bar",
        ),
        chips(s.chips, s.toggle, s.clear),
    )


def _choices(title: str, kind: str, options: Any) -> rx.Component:
    chosen: Any = IncidentsState.chosen[kind]
    return choices(title, rx.Var.create(options), chosen.to(list[str]), lambda value: IncidentsState.toggle(kind, value))


def _list() -> rx.Component:
    s = IncidentsState
    return rx.fragment(
        rx.el.p(s.count, rx.cond(s.count == 1, " incident", " incidents"), class_name="muted"),
        incident_table(s.rows, "Incidents, those noticed last first"),
        rx.cond(
            (s.next_cursor != "") & (count(s.rows) < MOST_ROWS),
            rx.el.button("Show older", type="button", on_click=s.more, class_name="button"),
        ),
    )


def _nothing() -> rx.Component:
    s = IncidentsState
    return rx.el.section(
        rx.cond(
            count(s.chips) > 0,
            rx.fragment(
                rx.el.h2("No incident fits these filters"),
                rx.el.p("Drop one of the filters above, or clear all of them."),
            ),
            rx.fragment(
                rx.el.h2("Nothing has broken yet"),
                rx.el.p("Incidents open by themselves from monitors and alerts, or by hand. They appear here at once."),
                rx.cond(may_respond(), rx.el.a("Open an incident", href="/incidents/new", class_name="button")),
            ),
        ),
        class_name="empty",
    )
