"""The home page: what was deployed and changed when, lane by lane, live."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.changes.events.lanes import EVERYWHERE, event_lanes
from blametrail.changes.events.record import TOPIC
from blametrail.deploys import find
from blametrail.deploys.slices import GroupBy
from blametrail.deploys.timeline import Window, timeline
from blametrail.incidents.find import IncidentFilters, incidents_between
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import TakesTooLong
from blametrail.ui import live
from blametrail.ui.address import PRESETS, Address
from blametrail.ui.guard import action
from blametrail.ui.moments import between
from blametrail.ui.parts.browser import RangeFields, Timeline, TimelineTools, When
from blametrail.ui.parts.change_events import EventRow, event_list, event_row
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
from blametrail.ui.parts.incidents import IncidentRow, incident_row, incident_table
from blametrail.ui.parts.lanes import in_ms, merged, with_incidents
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

LISTED = 25


class TimelineState(rx.State):
    """What the address says, and what it shows."""

    ready: bool = False
    lanes: list[dict[str, Any]] = []
    spans: list[dict[str, Any]] = []
    start: int = 0
    end: int = 0
    count: int = 0
    hidden_lanes: int = 0
    preset: str = ""
    group: str = "service"
    follows_now: bool = True
    rows: list[DeployRow] = []
    incident_rows: list[IncidentRow] = []
    event_rows: list[EventRow] = []
    event_count: str = ""
    newest_at: str = ""
    list_href: str = "/deploys"
    between_href: str = ""

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "deploys", "services", "incidents", TOPIC)
        await self._refresh(actor)

    @rx.event
    @action(Role.VIEWER)
    async def show_window(self, actor: Actor, start: float, end: float) -> Any:
        return rx.redirect(f"/{address_of(self).with_window(start, end).query()}", replace=True)

    @rx.event
    @action(Role.VIEWER)
    async def choose_preset(self, actor: Actor, preset: str) -> Any:
        return go(self, replace(address_of(self), preset=preset if preset in PRESETS else "24h", start=None, end=None))

    @rx.event
    @action(Role.VIEWER)
    async def group_by(self, actor: Actor, group: str) -> Any:
        return go(self, replace(address_of(self), group="environment" if group == "environment" else "service"))

    @rx.event
    @action(Role.VIEWER)
    async def only_lane(self, actor: Actor, key: str) -> Any:
        """A click on the name of a lane filters by it; one lane is of all."""
        if key == EVERYWHERE:
            return None
        address = address_of(self)
        if address.group == "environment":
            return go(self, replace(address, environments=(key,)))
        label = next((lane["label"] for lane in self.lanes if lane["key"] == key), "")
        return go(self, replace(address, services=(label,)))

    @rx.event
    @action(Role.VIEWER)
    async def show_newest(self, actor: Actor) -> Any:
        """From an empty window to the last deploy there was."""
        newest = await database().read(actor.organization_id, _newest, address_of(self))
        if newest is None:
            return None
        at = in_ms(newest)
        length = (self.end - self.start) or 86_400_000
        return go(self, address_of(self).with_window(at - length * 0.8, at + length * 0.2))

    async def _refresh(self, actor: Actor) -> None:
        address = address_of(self)
        window = address.window(now())
        key = ("timeline", address.query(), window)
        try:
            shown = await live.shared(
                actor.organization_id, key, lambda: database().read(actor.organization_id, _load, address, window)
            )
        except TakesTooLong as error:
            await show_trouble(self, actor, error)
            self.ready, self.preset, self.group = True, address.preset if address.follows_now else "", address.group
            return
        await fill(self, DeployFilters, shown["filters"])
        await fill(self, TimelineState, shown["page"])


def _load(session: ScopedSession, address: Address, window: Window) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    names = services.names(session)
    filters = address.filters(names)
    group: GroupBy = "environment" if address.group == "environment" else "service"
    shown, events = timeline(session, window, filters, group), event_lanes(session, window, filters, group)
    listed = find.find_deploys(session, filters, window, limit=LISTED)
    of_these = IncidentFilters(services=filters.services, environments=filters.environments)
    incidents = incidents_between(session, window.start, window.end, of_these)
    lanes, spans = with_incidents(merged(shown.lanes, events), incidents, group)
    newest = None if shown.count else _newest(session, address)
    fixed = replace(address, start=window.start, end=window.end)
    return {
        "filters": filter_vars(session, address, names),
        "page": {
            "ready": True,
            "lanes": lanes,
            "spans": spans,
            "start": in_ms(window.start),
            "end": in_ms(window.end),
            "count": shown.count,
            "hidden_lanes": shown.hidden_lanes,
            "preset": address.preset if address.follows_now else "",
            "group": address.group,
            "follows_now": address.follows_now,
            "rows": [deploy_row(d) for d in listed.deploys],
            "incident_rows": [incident_row(i) for i in incidents[:LISTED]],
            "event_rows": [event_row(e) for e in events.events[:LISTED]],
            "event_count": f"{len(events.events)}{' or more' if events.has_more else ''}" if events.events else "",
            "newest_at": newest.isoformat() if newest else "",
            "list_href": f"/deploys{fixed.query()}",
            "between_href": between(window.start, None if address.follows_now else window.end, address),
        },
    }


def _newest(session: ScopedSession, address: Address) -> datetime | None:
    found = find.find_deploys(session, address.filters(services.names(session)), limit=1).deploys
    return found[0].deployed_at if found else None


def page() -> rx.Component:
    return shell(
        "Timeline",
        rx.cond(
            ~TimelineState.ready,
            rx.el.div(class_name="skeleton timeline-skeleton", aria_label="Loading"),
            rx.cond(count(DeployFilters.service_names) == 0, _no_service(), _timeline()),
        ),
        actions=_tools(),
    )


def _tools() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            *(
                rx.el.button(
                    preset.replace("h", " h").replace("d", " d"),
                    type="button",
                    on_click=TimelineState.choose_preset(preset),
                    aria_pressed=TimelineState.preset == preset,
                )
                for preset in PRESETS
            ),
            class_name="segmented",
            role="group",
            aria_label="Range",
        ),
        rx.el.details(
            rx.el.summary("Custom", rx.icon("chevron-down", size=14)),
            rx.el.div(
                RangeFields.create(start=TimelineState.start, end=TimelineState.end, on_window=TimelineState.show_window),
                class_name="menu",
            ),
            class_name="dropdown",
        ),
        TimelineTools.create(),
        rx.el.div(
            *(
                rx.el.button(
                    f"By {group}",
                    type="button",
                    on_click=TimelineState.group_by(group),
                    aria_pressed=TimelineState.group == group,
                )
                for group in ("service", "environment")
            ),
            class_name="segmented",
            role="group",
            aria_label="Lanes",
        ),
        class_name="row wrap",
    )


def _timeline() -> rx.Component:
    return rx.fragment(
        filter_bar(),
        unless_trouble(_shown()),
    )


def _shown() -> rx.Component:
    return rx.cond(
        (TimelineState.count == 0)
        & (TimelineState.event_count == "")
        & (count(TimelineState.incident_rows) == 0)
        & (TimelineState.newest_at == "")
        & (count(DeployFilters.chips) == 0),
        _listening(),
        rx.fragment(
            Timeline.create(
                lanes=TimelineState.lanes,
                spans=TimelineState.spans,
                start=TimelineState.start,
                end=TimelineState.end,
                live=TimelineState.follows_now,
                on_window=TimelineState.show_window,
                on_lane=TimelineState.only_lane,
            ),
            rx.cond(
                TimelineState.hidden_lanes > 0,
                rx.el.p(
                    TimelineState.hidden_lanes,
                    " more lanes have fewer deploys. Filter by service to see them.",
                    class_name="muted",
                ),
            ),
            rx.cond(count(TimelineState.incident_rows) > 0, _listed_incidents()),
            rx.cond(TimelineState.count == 0, _nothing_here(), _listed()),
            rx.cond(TimelineState.event_count != "", _listed_events()),
        ),
    )


def _listed_incidents() -> rx.Component:
    """The spans of the chart as a list."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("Incidents in this window"),
            rx.el.a("All incidents", href="/incidents"),
            class_name="section-head",
        ),
        incident_table(TimelineState.incident_rows, "Incidents in this window, the latest onset first"),
        aria_label="Incidents in this window",
    )


def _listed() -> rx.Component:
    """The same window as a list: the table view of the chart, and all there is on a phone."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("In this window"),
            rx.el.span(
                rx.el.a("What changed between…", href=TimelineState.between_href),
                " · ",
                rx.el.a("All ", TimelineState.count, " as a list", href=TimelineState.list_href),
            ),
            class_name="section-head",
        ),
        deploy_table(TimelineState.rows, "Deploys in this window, newest first"),
        aria_label="Deploys in this window",
    )


def _listed_events() -> rx.Component:
    """The same of the change events."""
    return rx.el.section(
        rx.el.div(
            rx.el.h2("Change events in this window"),
            rx.el.a("All change events", href="/changes/events"),
            class_name="section-head",
        ),
        event_list(TimelineState.event_rows, "Change events in this window, newest first"),
        rx.cond(
            count(TimelineState.event_rows) == LISTED,
            rx.el.p("The last ", LISTED, " of ", TimelineState.event_count, ".", class_name="muted"),
        ),
        aria_label="Change events in this window",
    )


def _nothing_here() -> rx.Component:
    return rx.el.section(
        rx.el.h2("No deploys in this window"),
        rx.cond(
            count(DeployFilters.chips) > 0,
            rx.el.p(
                "Filters are in force: ",
                rx.foreach(DeployFilters.chips, lambda c: rx.el.span(c["label"], ". ")),
                "Drop one above.",
            ),
        ),
        rx.cond(
            TimelineState.newest_at != "",
            rx.el.p(
                "The last deploy was ",
                When.create(at=TimelineState.newest_at),
                ". ",
                rx.el.button("Show it", type="button", on_click=TimelineState.show_newest, class_name="button"),
            ),
        ),
        class_name="empty",
    )


def _listening() -> rx.Component:
    return rx.el.section(
        rx.el.h2(rx.el.span(class_name="listening", aria_hidden="true"), "Listening for the first deploy"),
        rx.el.p("It appears here the moment CI posts it."),
        rx.el.a("How to post one", href="/services", class_name="button"),
        class_name="empty",
    )


def _no_service() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Nothing is deployed here yet"),
        rx.el.p("A service is something you deploy. Create one, paste its snippet into CI, and each deploy appears here live."),
        rx.el.div(
            *(rx.el.i(style={"left": f"{left}%", "top": f"{top}px"}, class_name=kind) for left, top, kind in _EXAMPLE),
            class_name="empty-picture",
            aria_hidden="true",
        ),
        rx.el.a("Create your first service", href="/services/new", class_name="button primary"),
        class_name="empty",
    )


_EXAMPLE = (
    (8, 14, "mark"), (21, 14, "mark"), (46, 14, "mark"), (58, 14, "mark rollback"), (83, 14, "mark"),
    (15, 44, "mark"), (37, 44, "mark"), (64, 44, "mark"), (30, 74, "mark"), (72, 74, "mark"), (91, 74, "mark"),
)  # fmt: skip
