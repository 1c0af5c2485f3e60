"""Changes: search everything that was merged in the repositories of the services, live."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog import services
from blametrail.changes.search import MOST_COUNTED, PAGE, search_changes
from blametrail.changes.suggestions import suggestions
from blametrail.changes.views import change_detail
from blametrail.changes.watch import WatchedView, list_watched
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import NotFound
from blametrail.ui import live
from blametrail.ui.change_address import RANGES, TEXTS, ChangeAddress, read_change_address
from blametrail.ui.guard import action
from blametrail.ui.parts.browser import ScrollMark, When
from blametrail.ui.parts.change_results import NONE_OPEN, FoundRow, OpenedRow, change_list, found_row, opened_row
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

MOST_ROWS = 500


class Chip(TypedDict):
    kind: str
    label: str


class Fault(TypedDict):
    repository: str
    fault: str
    remedy: str


class ChangesState(rx.State):
    """What is found for the address; newer changes wait while somebody reads."""

    ready: bool = False
    rows: list[FoundRow] = []
    count: str = ""
    fresh: int = 0
    next_cursor: str = ""
    opened: OpenedRow = NONE_OPEN
    texts: dict[str, str] = dict.fromkeys(TEXTS, "")
    span: str = ""
    chips: list[Chip] = []
    is_filtered: bool = False
    service_names: list[str] = []
    repository_names: list[str] = []
    authors: list[str] = []
    labels: list[str] = []
    faults: list[Fault] = []
    missing: str = ""
    watched: str = ""
    asked_at: str = ""
    webhook_at: str = ""
    _reading: bool = False

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "changes", "services", "connections")
        self._reading = False
        self.opened = NONE_OPEN
        await self._show(actor)
        if wanted := self.router.url.query_parameters.get("change", ""):
            await self._open(actor, wanted)

    @rx.event
    @action(Role.VIEWER)
    async def search(self, actor: Actor, form: dict[str, Any]) -> Any:
        address = self._address()
        for name in ("q", "path", "author", "label"):
            address = address.with_text(name, str(form.get(name, "")))
        return _go(address)

    @rx.event
    @action(Role.VIEWER)
    async def choose(self, actor: Actor, kind: str, value: str) -> Any:
        """One of a list: a service, a repository, a range of time; nothing for all."""
        address = self._address()
        return _go(address.with_span(value) if kind == "range" else address.with_text(kind, value))

    @rx.event
    @action(Role.VIEWER)
    async def clear(self, actor: Actor) -> Any:
        return _go(ChangeAddress())

    @rx.event
    @action(Role.VIEWER)
    async def toggle(self, actor: Actor, change_id: str) -> None:
        """Open a change in its place, or close it."""
        if self.opened["id"] == change_id:
            self.opened = NONE_OPEN
        else:
            await self._open(actor, change_id)

    @rx.event
    @action(Role.VIEWER)
    async def more(self, actor: Actor) -> None:
        if not self.next_cursor or len(self.rows) >= MOST_ROWS:
            return
        found = await database().read(actor.organization_id, _find, self._address(), self.next_cursor)
        known = {row["id"] for row in self.rows}
        self.rows = [*self.rows, *(row for row in found["rows"] if row["id"] not in known)]
        self.next_cursor = found["next_cursor"]

    @rx.event
    @action(Role.VIEWER)
    async def note_reading(self, actor: Actor, reading: bool) -> None:
        """Whether the reader has scrolled on; back at the top, what waited is shown."""
        self._reading = reading
        if not reading and self.fresh and not self.opened["id"]:
            await self._show(actor)

    @rx.event
    @action(Role.VIEWER)
    async def show_fresh(self, actor: Actor) -> None:
        self.opened = NONE_OPEN
        await self._show(actor)

    async def _refresh(self, actor: Actor) -> None:
        """Live: nothing that is being read moves; what is new is counted, and what is open is kept up to date."""
        if self.opened["id"]:
            await self._open(actor, self.opened["id"])
        if not (self._reading or self.opened["id"] or len(self.rows) > PAGE):
            await self._show(actor)
            return
        found = await self._found(actor)
        known = {row["id"] for row in self.rows}
        self.fresh = sum(row["id"] not in known for row in found["rows"])
        newer = {row["id"]: row for row in found["rows"]}
        self.rows = [newer.get(row["id"], row) for row in self.rows]

    async def _open(self, actor: Actor, change_id: str) -> None:
        """Show a change in full; one that is not among those shown is put before them."""
        try:
            row, opened = await database().read(actor.organization_id, _detail, UUID(change_id))
        except ValueError:
            return
        except NotFound:
            self.opened = NONE_OPEN
            return
        if all(known["id"] != row["id"] for known in self.rows):
            self.rows = [row, *self.rows]
        self.opened = opened

    async def _show(self, actor: Actor) -> None:
        await fill(self, ChangesState, await self._found(actor))

    async def _found(self, actor: Actor) -> dict[str, Any]:
        address = self._address()
        found: dict[str, Any] = await live.shared(
            actor.organization_id,
            ("changes", address.query()),
            lambda: database().read(actor.organization_id, _load, address),
        )
        return found

    def _address(self) -> ChangeAddress:
        return read_change_address(self.router.url.query_parameters)


def _go(address: ChangeAddress) -> Any:
    return rx.redirect(f"/changes{address.query()}")


def _find(session: ScopedSession, address: ChangeAddress, cursor: str = "") -> dict[str, Any]:
    page = search_changes(session, address.asks(services.names(session), now()), cursor)
    many = f"{MOST_COUNTED:,} or more" if page.count >= MOST_COUNTED else f"{page.count:,}"
    return {
        "ready": True,
        "rows": [found_row(change) for change in page.changes],
        "count": f"{many} {'change' if page.count == 1 else 'changes'}",
        "fresh": 0,
        "next_cursor": page.next_cursor,
    }


def _load(session: ScopedSession, address: ChangeAddress) -> dict[str, Any]:
    """Everything the page shows, by the name of its var."""
    watched = list_watched(session)
    offered = suggestions(session)
    return {
        **_find(session, address),
        "texts": {name: address.texts.get(name, "") for name in TEXTS},
        "span": address.span,
        "chips": address.chips(),
        "is_filtered": address.is_filtered,
        "service_names": sorted(services.names(session).values(), key=str.lower),
        "repository_names": sorted({repository.path for repository in watched}, key=str.lower),
        "authors": list(offered.authors),
        "labels": list(offered.labels),
        **_state_of(watched),
    }


def _state_of(watched: list[WatchedView]) -> dict[str, Any]:
    """How far what is shown can be trusted: which repositories, asked when, what is wrong."""
    without = [one for one in watched if one.fault]
    asked = [one.polled_at for one in watched if one.polled_at]
    told = [one.webhook_at for one in watched if one.webhook_at]
    missing = ""
    if not watched:
        missing = "repository"
    elif len(without) == len(watched):
        missing = "connection"
    elif not told:
        missing = "webhook"
    return {
        "faults": [Fault(repository=one.path, fault=one.fault, remedy=one.remedy) for one in without[:5]],
        "missing": missing,
        "watched": f"{len(watched)} {'repository' if len(watched) == 1 else 'repositories'}",
        "asked_at": min(asked).isoformat() if asked and len(asked) == len(watched) else "",
        "webhook_at": max(told).isoformat() if told else "",
    }


def _detail(session: ScopedSession, change_id: UUID) -> tuple[FoundRow, OpenedRow]:
    detail = change_detail(session, change_id)
    return found_row(detail.change), opened_row(detail)


def page() -> rx.Component:
    s = ChangesState
    return shell(
        "Changes",
        ScrollMark.create(on_reading=s.note_reading),
        _filters(),
        _chips(),
        rx.el.div(
            rx.cond(s.fresh > 0, rx.el.a(s.fresh, " new", href="#main", on_click=s.show_fresh, class_name="pill floating")),
            role="status",
        ),
        rx.cond(
            ~s.ready,
            rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            rx.fragment(_faults(), rx.cond(count(s.rows) > 0, _list(), _nothing())),
        ),
        actions=rx.el.div(
            rx.el.a("Change events", href="/changes/events", class_name="button"),
            rx.el.a("What changed between two moments", href="/changes/between", class_name="button"),
            class_name="row wrap",
        ),
    )


def _filters() -> rx.Component:
    s = ChangesState
    return rx.el.div(
        rx.el.form(
            _text("q", "Search words, numbers, paths", "search"),
            _text("path", "Path or *.sql"),
            _text("author", "By", offers="authors"),
            _text("label", "Label", offers="labels"),
            rx.el.button("Search", type="submit", class_name="button primary"),
            _offers("authors", s.authors),
            _offers("labels", s.labels),
            on_submit=s.search,
            role="search",
            class_name="text-filters",
            key=f"{s.texts['q']}~{s.texts['path']}~{s.texts['author']}~{s.texts['label']}",
        ),
        rx.el.div(
            _choice("service", "Any service", s.service_names, s.texts["service"]),
            _choice("repository", "Any repository", s.repository_names, s.texts["repository"]),
            rx.el.select(
                rx.el.option("Any time", value=""),
                *(rx.el.option(words, value=name) for name, (words, _) in RANGES.items()),
                value=s.span,
                on_change=lambda value: s.choose("range", value),
                aria_label="Merged",
            ),
            class_name="row wrap",
        ),
        class_name="filter-bar",
    )


def _text(name: str, label: str, kind: str = "text", offers: str = "") -> rx.Component:
    return rx.el.input(
        name=name,
        type=kind,
        placeholder=label,
        aria_label=label,
        default_value=ChangesState.texts[name],
        max_length=200,
        **({"list": offers} if offers else {}),
    )


def _offers(name: str, options: rx.Var[list[str]]) -> rx.Component:
    return rx.el.datalist(rx.foreach(options, lambda option: rx.el.option(value=option)), id=name)


def _choice(kind: str, every: str, options: rx.Var[list[str]], chosen: rx.Var[str]) -> rx.Component:
    return rx.el.select(
        rx.el.option(every, value=""),
        rx.foreach(options, lambda option: rx.el.option(option, value=option)),
        value=chosen,
        on_change=lambda value: ChangesState.choose(kind, value),
        aria_label=kind.capitalize(),
    )


def _chips() -> rx.Component:
    s = ChangesState
    return rx.cond(
        s.is_filtered,
        rx.el.div(
            rx.foreach(
                s.chips,
                lambda chip: rx.el.button(
                    chip["label"],
                    rx.icon("x", size=12, aria_hidden="true"),
                    on_click=s.choose(chip["kind"], ""),
                    class_name="chip",
                    type="button",
                    aria_label=f"Drop the filter {chip['label']}",
                ),
            ),
            rx.el.button("Clear all", on_click=s.clear, class_name="link-button", type="button"),
            class_name="chips",
            role="group",
            aria_label="Filters in force",
        ),
    )


def _faults() -> rx.Component:
    return rx.foreach(
        ChangesState.faults,
        lambda one: rx.el.p(
            rx.icon("triangle-alert", size=14, aria_hidden="true"),
            rx.el.strong(one["repository"]),
            rx.el.span("is not up to date: ", one["fault"], " ", one["remedy"]),
            class_name="note",
        ),
    )


def _list() -> rx.Component:
    s = ChangesState
    return rx.fragment(
        rx.el.p(s.count, " in ", s.watched, _freshness(), class_name="muted"),
        change_list(s.rows, s.opened, s.toggle),
        rx.cond(
            s.next_cursor != "",
            rx.cond(
                count(s.rows) < MOST_ROWS,
                rx.el.button("Show more", type="button", on_click=s.more, class_name="button"),
                rx.el.p("Ask for less, or for a time, to see others.", class_name="muted"),
            ),
        ),
    )


def _freshness() -> rx.Component:
    s = ChangesState
    return rx.fragment(
        rx.cond(s.asked_at != "", rx.fragment(" · asked ", When.create(at=s.asked_at, short=True))),
        rx.cond(
            s.webhook_at != "",
            rx.fragment(" · webhook ", When.create(at=s.webhook_at, short=True)),
            rx.fragment(" · ", rx.el.a("set up a webhook", href="/settings/webhooks"), " to see merges at once"),
        ),
    )


def _nothing() -> rx.Component:
    """What to do next, one thing."""
    s = ChangesState
    waiting = rx.el.p(
        rx.el.span(class_name="listening", aria_hidden="true"),
        s.watched,
        " watched. What is merged appears here.",
        _freshness(),
    )
    return rx.el.section(
        rx.cond(
            s.is_filtered,
            _say(
                "No change fits",
                "Drop a filter above, take fewer words, or the begin of one only.",
                *_link("See all", "/changes"),
            ),
            rx.match(
                s.missing,
                (
                    "repository",
                    _say(
                        "No repository is linked",
                        "Name the repositories of your services; what is merged in them can then be searched here.",
                        *_link("Link one to a service", "/services"),
                    ),
                ),
                (
                    "connection",
                    _say(
                        "The repositories cannot be asked",
                        "A token lets us read what is merged in them.",
                        *_link("Connect a code host", "/settings/code-hosts"),
                    ),
                ),
                (
                    "webhook",
                    _say("Nothing was merged in the last 30 days", waiting, *_link("Set up a webhook", "/settings/webhooks")),
                ),
                _say("Nothing was merged in the last 30 days", waiting),
            ),
        ),
        class_name="empty",
    )


def _say(title: str, text: str | rx.Component, *more: rx.Component) -> rx.Component:
    return rx.fragment(rx.el.h2(title), rx.el.p(text) if isinstance(text, str) else text, *more)


def _link(text: str, href: str) -> tuple[rx.Component]:
    return (rx.el.a(text, href=href, class_name="button primary"),)
