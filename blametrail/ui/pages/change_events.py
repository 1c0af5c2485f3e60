"""Change events: what was changed that is not code, told by programs and by people; live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.changes.events.find import PAGE, EventFilters, find_event, find_events
from blametrail.changes.events.kinds import EventKind
from blametrail.changes.events.record import TOPIC, record_by_hand, remove_by_hand
from blametrail.changes.events.report import LONGEST_TITLE, ChangeReport, checked_change, labels_of
from blametrail.deploys.views import environments
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import Invalid
from blametrail.ui import live
from blametrail.ui.guard import action, tell
from blametrail.ui.parts.browser import MomentField, ScrollMark
from blametrail.ui.parts.change_events import KINDS, EventRow, event_details, event_item, event_row
from blametrail.ui.parts.fields import area, field, field_error
from blametrail.ui.parts.incident_form import Choice, extent_fields
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import may_respond, shell, show_actor

MOST_ROWS = 500
LONGEST = 200


@dataclass(frozen=True, slots=True)
class EventAddress:
    """What the list shows, as its query string says it."""

    kind: str = ""
    service: str = ""
    q: str = ""

    def query(self) -> str:
        pairs = {name: value for name in ("kind", "service", "q") if (value := getattr(self, name))}
        return f"?{urlencode(pairs)}" if pairs else ""


class ChangeEventsState(rx.State):
    """What is found for the address; newer events wait while somebody reads."""

    ready: bool = False
    rows: list[EventRow] = []
    opened: list[EventRow] = []
    missing: bool = False
    fresh: int = 0
    next_cursor: str = ""
    kind: str = ""
    service: str = ""
    q: str = ""
    service_names: list[str] = []
    service_choices: list[Choice] = []
    environment_choices: list[Choice] = []
    errors: dict[str, str] = {}
    form_key: str = ""
    _reading: bool = False

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, TOPIC, "services")
        self._reading, self.errors = False, {}
        await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def search(self, actor: Actor, form: dict[str, Any]) -> Any:
        return _go(EventAddress(self.kind, self.service, str(form.get("q", "")).strip()[:LONGEST]))

    @rx.event
    @action(Role.VIEWER)
    async def choose(self, actor: Actor, kind: str, value: str) -> Any:
        """A kind or a service; nothing for all."""
        chosen = {"kind": self.kind, "service": self.service} | ({kind: value} if kind in {"kind", "service"} else {})
        return _go(EventAddress(chosen["kind"], chosen["service"], self.q))

    @rx.event
    @action(Role.VIEWER)
    async def more(self, actor: Actor) -> None:
        if not self.next_cursor or len(self.rows) >= MOST_ROWS:
            return
        found = await database().read(actor.organization_id, _find, self._address(), self.next_cursor)
        self.rows = [*self.rows, *found["rows"]]
        self.next_cursor = found["next_cursor"]

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
    @action(Role.RESPONDER)
    async def record(self, actor: Actor, form: dict[str, Any]) -> None:
        """Keep what a person says; errors stand beside their fields."""
        try:
            report = _report(form, self.service_choices, self.environment_choices, actor.name)
            await database().write(actor.organization_id, record_by_hand, actor, report)
        except Invalid as error:
            self.errors = {name.partition(".")[0]: f"This {why}." for name, why in error.fields.items()}
            return
        self.errors, self.form_key = {}, uuid4().hex
        await self._show(actor)
        await tell(self, "Recorded. It stands on the timeline.")

    @rx.event
    @action(Role.RESPONDER)
    async def remove(self, actor: Actor, event_id: str, confirmation: str) -> None:
        await database().write(actor.organization_id, remove_by_hand, actor, UUID(event_id))
        await self._show(actor)
        await tell(self, "Removed.")

    async def _refresh(self, actor: Actor) -> None:
        """Live: nothing that is being read moves; what is new is counted."""
        if not self._reading and len(self.rows) <= PAGE:
            await self._show(actor)
            return
        found = await self._found(actor)
        known = {row["id"] for row in self.rows}
        self.fresh = sum(row["id"] not in known for row in found["rows"])

    async def _show(self, actor: Actor) -> None:
        await fill(self, ChangeEventsState, await self._found(actor))

    async def _found(self, actor: Actor) -> dict[str, Any]:
        address, wanted = self._address(), self.router.url.query_parameters.get("event", "")
        found: dict[str, Any] = await live.shared(
            actor.organization_id,
            ("change events", address, wanted),
            lambda: database().read(actor.organization_id, _load, address, wanted),
        )
        return found

    def _address(self) -> EventAddress:
        query = self.router.url.query_parameters
        kind = query.get("kind", "")
        return EventAddress(
            kind if kind in list(EventKind) else "", query.get("service", "")[:LONGEST], query.get("q", "").strip()[:LONGEST]
        )


def _go(address: EventAddress) -> Any:
    return rx.redirect(f"/changes/events{address.query()}")


def _find(session: ScopedSession, address: EventAddress, cursor: str = "") -> dict[str, Any]:
    ids = tuple(id_ for id_, name in services.names(session).items() if name.lower() == address.service.lower())
    wanted = (ids or (UUID(int=0),)) if address.service else ()
    page = find_events(session, EventFilters(services=wanted, kind=address.kind, text=address.q), cursor)
    return {"ready": True, "rows": [event_row(e) for e in page.events], "fresh": 0, "next_cursor": page.next_cursor}


def _load(session: ScopedSession, address: EventAddress, wanted: str) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    named = sorted(services.names(session).items(), key=lambda pair: pair[1].lower())
    places = sorted({*environments(session), "production"})
    opened = _opened(session, wanted)
    return {
        **_find(session, address),
        "opened": opened,
        "missing": bool(wanted) and not opened,
        "kind": address.kind,
        "service": address.service,
        "q": address.q,
        "service_names": [name for _, name in named],
        "service_choices": [Choice(id=str(id_), name=name, chosen=False) for id_, name in named],
        "environment_choices": [Choice(id=name, name=name, chosen=False) for name in places],
    }


def _opened(session: ScopedSession, wanted: str) -> list[EventRow]:
    """The event that the address names, first of all."""
    try:
        found = find_event(session, UUID(wanted)) if wanted else None
    except ValueError:
        found = None
    return [event_row(found)] if found else []


def _report(form: dict[str, Any], offered: list[Choice], places: list[Choice], who: str) -> ChangeReport:
    """What the form says; raises Invalid."""
    given = {name: str(form.get(name, "")) for name in ("kind", "title", "description", "url", "reverts")}
    times = {name: str(form.get(name, "")) or None for name in ("started_at", "ended_at")}
    if given["url"] and not given["url"].startswith(("https://", "http://")):
        raise Invalid({"url": "must be an http or https address"})
    return checked_change(
        {
            **given,
            **times,
            "who": who[:LONGEST_TITLE],
            "labels": labels_of(str(form.get("labels", ""))),
            "services": [one["name"] for one in offered if form.get(f"service-{one['id']}")],
            "environments": [one["name"] for one in places if form.get(f"environment-{one['name']}")],
        }
    )


def page() -> rx.Component:
    s = ChangeEventsState
    return shell(
        "Change events",
        ScrollMark.create(on_reading=s.note_reading),
        rx.el.p(
            "What was changed that is not code: flags, configuration, infrastructure, databases. "
            "Programs tell of it by the API, people here.",
            class_name="lede",
        ),
        rx.cond(may_respond(), _form()),
        _filters(),
        rx.el.div(
            rx.cond(s.fresh > 0, rx.el.a(s.fresh, " new", href="#main", on_click=s.show_fresh, class_name="pill floating")),
            role="status",
        ),
        rx.cond(
            ~s.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            rx.fragment(_the_one(), rx.cond(count(s.rows) > 0, _list(), _nothing())),
        ),
        actions=rx.el.a("Merged pull requests", href="/changes", class_name="button"),
    )


def _the_one() -> rx.Component:
    s = ChangeEventsState
    return rx.fragment(
        rx.cond(
            s.missing,
            rx.el.p("There is no such change event in this organization. It may have been removed.", class_name="note"),
        ),
        rx.foreach(
            s.opened,
            lambda e: rx.el.section(
                rx.el.ul(event_item(e, s.remove, is_open=True), class_name="events"),
                aria_label="The change event of this address",
            ),
        ),
    )


def _filters() -> rx.Component:
    s = ChangeEventsState
    return rx.el.div(
        rx.el.form(
            rx.el.input(
                name="q", type="search", placeholder="Search change events", aria_label="Search change events",
                default_value=s.q, max_length=LONGEST,
            ),
            rx.el.button("Search", type="submit", class_name="button"),
            on_submit=s.search,
            role="search",
            class_name="text-filters",
            key=s.q,
        ),
        rx.el.select(
            rx.el.option("Any kind", value=""),
            *(rx.el.option(words, value=kind) for kind, words in KINDS.items()),
            value=s.kind,
            on_change=lambda value: s.choose("kind", value),
            aria_label="Kind",
        ),
        rx.el.select(
            rx.el.option("Any service", value=""),
            rx.foreach(s.service_names, lambda name: rx.el.option(name, value=name)),
            value=s.service,
            on_change=lambda value: s.choose("service", value),
            aria_label="Service",
        ),
        class_name="filter-bar",
    )  # fmt: skip


def _list() -> rx.Component:
    s = ChangeEventsState
    return rx.fragment(
        event_details(s.rows, "Change events, newest first", s.remove),
        rx.cond(
            s.next_cursor != "",
            rx.cond(
                count(s.rows) < MOST_ROWS,
                rx.el.button("Show more", type="button", on_click=s.more, class_name="button"),
                rx.el.p("Filter to see others.", class_name="muted"),
            ),
        ),
    )


def _nothing() -> rx.Component:
    s = ChangeEventsState
    return rx.el.section(
        rx.cond(
            (s.kind != "") | (s.service != "") | (s.q != ""),
            rx.fragment(
                rx.el.h2("No change event fits"),
                rx.el.p("Choose another kind or service, or search for fewer words."),
                rx.el.a("See all", href="/changes/events", class_name="button"),
            ),
            rx.fragment(
                rx.el.h2("Nothing was told yet"),
                rx.el.p("Not only deploys break things. Let the tools that switch flags and change configuration tell of it:"),
                rx.el.pre(
                    "POST /api/ingest/change   X-Deploy-Token: dpl_…\n"
                    '{"kind": "feature_flag", "title": "New checkout for 10 %", "labels": {"flag": "new-checkout"}}',
                    tab_index=0,
                    aria_label="Example",
                ),
            ),
        ),
        class_name="empty",
    )


def _form() -> rx.Component:
    s = ChangeEventsState
    return rx.el.details(
        rx.el.summary("Record a change event"),
        rx.el.form(
            rx.el.label(
                rx.el.span("Kind"),
                rx.el.select(*(rx.el.option(words, value=kind) for kind, words in KINDS.items()), name="kind"),
                class_name="field",
            ),
            field("What was changed?", "title", required=True, max_length=LONGEST_TITLE, placeholder="New checkout for 10 %"),
            field_error(s.errors, "title"),
            rx.el.div(
                MomentField.create(name="started_at", label="Began", hint="Empty for now."),
                MomentField.create(name="ended_at", label="Ended", hint="Empty if it took no time."),
                class_name="columns",
            ),
            field_error(s.errors, "ended_at"),
            extent_fields(s),
            rx.el.p("Without a service, or an environment, it counts for all of them.", class_name="muted"),
            field_error(s.errors, "services"),
            area("Description", "description", rows="3"),
            field("Link", "url", max_length=2048, placeholder="https://"),
            field_error(s.errors, "url"),
            area("Labels", "labels", rows="2", placeholder="flag=new-checkout", hint="name=value, one a line"),
            field_error(s.errors, "labels"),
            field("Reverts", "reverts", max_length=LONGEST_TITLE, hint="The id of a change event or a deploy, or its name."),
            rx.el.button("Record", type="submit", class_name="button primary"),
            on_submit=s.record,
            class_name="form",
            key=s.form_key,
            aria_label="Record a change event",
            no_validate=True,
        ),
        class_name="disclosure",
    )
