"""What changed between two moments, and what was live at one; usable without an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.deploys.live_at import Live, Target, live_at, targets
from blametrail.deploys.summaries import DeploySummary, services_by_id
from blametrail.deploys.views import environments
from blametrail.deploys.what_changed import Change, what_changed
from blametrail.kit.clock import now, to_micros
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.errors import TakesTooLong
from blametrail.ui import live
from blametrail.ui.address import Address
from blametrail.ui.guard import action
from blametrail.ui.moments import Moments, read_moments
from blametrail.ui.parts.browser import MomentFields, When
from blametrail.ui.parts.deploy_filters import Chip, chips, choices
from blametrail.ui.parts.deploys import DeployRow, deploy_row, environment_tag, kind_badge
from blametrail.ui.parts.vars import count, fill
from blametrail.ui.shell import shell, show_actor

MOST_TARGETS = 200
MOST_DEPLOYS = 8


class CommitLine(TypedDict):
    short: str
    title: str
    author: str
    url: str


class ChangeRow(TypedDict):
    key: str
    service: str
    service_id: str
    environment: str
    before: DeployRow
    after: DeployRow
    same_commit: bool
    compare_url: str
    deploys: list[DeployRow]
    deploy_count: int
    rollback_count: int
    list_href: str
    commits: list[CommitLine]
    more_commits: bool


class LiveRow(TypedDict):
    key: str
    service: str
    service_id: str
    environment: str
    deploy: DeployRow
    first_at: str


NO_ROW = DeployRow(
    id="", service="", service_id="", environment="", sha="", title="", branch="", version="", by="", kind="", at=""
)


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
        "changed": [_change(one, asked, start, end) for one in changed],
        "same": [_live(Live(one.target, one.after, None)) for one in changes if not one.deploy_count],
        "live_rows": [_live(one) for one in live_at(session, known, wanted, end)] if asked.is_one else [],
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


def _change(one: Change, asked: Moments, start: datetime, end: datetime) -> ChangeRow:
    target = one.target
    these = Address(services=(target.service,), environments=(target.environment,), start=start, end=end)
    return ChangeRow(
        key=_key(target),
        service=target.service,
        service_id=str(target.service_id),
        environment=target.environment,
        before=_row(one.before),
        after=_row(one.after),
        same_commit=one.base_sha == one.head_sha,
        compare_url=one.compare_url,
        deploys=[deploy_row(deploy.deploy) for deploy in one.deploys[:MOST_DEPLOYS]],
        deploy_count=one.deploy_count,
        rollback_count=one.rollback_count,
        list_href=f"/deploys{these.query()}" if one.deploy_count > MOST_DEPLOYS else "",
        commits=[
            CommitLine(short=c.short_sha, title=c.message or c.short_sha, author=c.author, url=c.url)
            for c in one.carried.commits
        ],
        more_commits=not one.carried.is_whole,
    )


def _live(one: Live) -> LiveRow:
    return LiveRow(
        key=_key(one.target),
        service=one.target.service,
        service_id=str(one.target.service_id),
        environment=one.target.environment,
        deploy=_row(one.deploy),
        first_at=one.first_at.isoformat() if one.first_at else "",
    )


def _row(one: DeploySummary | None) -> DeployRow:
    return deploy_row(one.deploy) if one else NO_ROW


def _key(target: Target) -> str:
    return f"{target.service_id}{target.environment}"


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
            count(s.live_rows) > 0, rx.el.ul(rx.foreach(s.live_rows, _live_item), class_name="service-list"), _nothing_fits()
        ),
        aria_label="What was live",
    )


def _what_changed() -> rx.Component:
    s = WhatChangedState
    return rx.fragment(
        rx.el.p(
            "From ", When.create(at=s.start_at), " to ", _moment(s.end_at), ": ",
            rx.el.strong(s.deploy_count, rx.cond(s.deploy_count == 1, " deploy", " deploys")),
            rx.cond(s.rollback_count > 0, rx.fragment(", ", _rollbacks(s.rollback_count), " among them")),
            ".",
            class_name="lede",
            role="status",
        ),
        rx.cond(
            count(s.changed) > 0,
            rx.el.ul(rx.foreach(s.changed, _change_item), class_name="changes"),
            rx.cond(count(s.same) > 0, _nothing_changed(), _nothing_fits()),
        ),
        rx.cond(
            count(s.same) > 0,
            rx.el.details(
                rx.el.summary(count(s.same), " the same as before"),
                rx.el.ul(rx.foreach(s.same, _live_item), class_name="service-list"),
                class_name="disclosure",
            ),
        ),
    )  # fmt: skip


def _moment(at: rx.Var[str]) -> rx.Component:
    return rx.cond(WhatChangedState.follows_now, rx.el.span("now"), When.create(at=at))


def _rollbacks(number: rx.Var[int]) -> rx.Component:
    return rx.fragment(number, rx.cond(number == 1, " rollback", " rollbacks"))


def _change_item(c: rx.Var[ChangeRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            _name(c),
            rx.cond(
                c["compare_url"] != "",
                rx.el.a("Compare on the code host", href=c["compare_url"], rel="noreferrer"),
                rx.fragment(),
            ),
            class_name="section-head",
        ),
        rx.el.p(
            _end(c["before"], "nothing known"),
            rx.el.span(" → ", aria_label="to"),
            _end(c["after"], "nothing known"),
            rx.cond(c["same_commit"], rx.el.span(" · the same commit as before", class_name="muted")),
            rx.el.span(" · ", c["deploy_count"], rx.cond(c["deploy_count"] == 1, " deploy", " deploys"), class_name="muted"),
            rx.cond(c["rollback_count"] > 0, rx.el.span(", ", _rollbacks(c["rollback_count"]), class_name="muted")),
        ),
        rx.el.ul(rx.foreach(c["deploys"], _deploy_item), class_name="between"),
        rx.cond(c["list_href"] != "", rx.el.a("All ", c["deploy_count"], " deploys", href=c["list_href"])),
        rx.cond(
            count(c["commits"]) > 0,
            rx.el.details(
                rx.el.summary(count(c["commits"]), rx.cond(c["more_commits"], " and more", ""), " commits"),
                rx.el.ol(rx.foreach(c["commits"], _commit_item), class_name="commits"),
                class_name="disclosure",
            ),
        ),
        key=c["key"],
    )


def _name(row: Any) -> rx.Component:
    return rx.el.h2(
        rx.el.a(row["service"], href=f"/services/{row['service_id']}", class_name="strong"),
        " ",
        environment_tag(row["environment"]),
    )


def _end(d: rx.Var[DeployRow], none: str) -> rx.Component:
    """What stood at one of the moments."""
    return rx.cond(
        d["id"] != "",
        rx.fragment(rx.cond(d["version"] != "", rx.fragment(d["version"], " ")), rx.el.code(d["sha"])),
        rx.el.span(none, class_name="muted"),
    )


def _deploy_item(d: rx.Var[DeployRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(d["title"], href=f"/deploys/{d['id']}", class_name="row-link"),
        " ",
        kind_badge(d["kind"]),
        rx.el.small(" ", When.create(at=d["at"]), rx.cond(d["by"] != "", rx.fragment(" · ", d["by"])), class_name="muted"),
        custom_attrs={"data-row": d["id"]},
        key=d["id"],
    )


def _commit_item(c: rx.Var[CommitLine]) -> rx.Component:
    return rx.el.li(
        rx.cond(c["url"] != "", rx.el.a(rx.el.code(c["short"]), href=c["url"], rel="noreferrer"), rx.el.code(c["short"])),
        rx.el.div(rx.el.span(c["title"]), rx.el.small(c["author"], class_name="muted")),
    )


def _live_item(row: rx.Var[LiveRow]) -> rx.Component:
    d = row["deploy"]
    return rx.el.li(
        rx.el.div(_name(row)),
        rx.el.div(
            rx.cond(
                d["id"] != "",
                rx.fragment(
                    rx.el.a(d["title"], href=f"/deploys/{d['id']}", class_name="row-link"),
                    " ",
                    kind_badge(d["kind"]),
                    rx.el.br(),
                    rx.el.small(_end(d, ""), " · since ", When.create(at=d["at"]), class_name="muted"),
                ),
                rx.el.small(
                    "No deploy is known from before then.",
                    rx.cond(row["first_at"] != "", rx.fragment(" The first one came ", When.create(at=row["first_at"]), ".")),
                    class_name="muted",
                ),
            ),
        ),
        key=row["key"],
        custom_attrs={"data-row": row["key"]},
    )


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
