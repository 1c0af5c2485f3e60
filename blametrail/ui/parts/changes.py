"""How a service in one environment looks in what changed, and in what was live."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

import reflex as rx

from blametrail.deploys.live_at import Live, Target
from blametrail.deploys.summaries import DeploySummary
from blametrail.deploys.what_changed import Change
from blametrail.ui.address import Address
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.deploys import DeployRow, deploy_row, environment_tag, kind_badge
from blametrail.ui.parts.vars import count

MOST_DEPLOYS = 8


class PullRequestLine(TypedDict):
    number: str
    title: str
    author: str
    url: str


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
    pull_requests: list[PullRequestLine]
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


def change_row(one: Change, start: datetime, end: datetime) -> ChangeRow:
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
        pull_requests=[
            PullRequestLine(number=f"#{p.number}", title=p.title, author=p.author, url=p.url) for p in one.carried.pull_requests
        ],
        commits=[
            CommitLine(short=c.short_sha, title=c.message or c.short_sha, author=c.author, url=c.url)
            for c in one.carried.commits
        ],
        more_commits=not one.carried.is_whole,
    )


def live_row(one: Live) -> LiveRow:
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


def rollbacks(number: rx.Var[int]) -> rx.Component:
    return rx.fragment(number, rx.cond(number == 1, " rollback", " rollbacks"))


def change_item(c: rx.Var[ChangeRow]) -> rx.Component:
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
            rx.cond(c["rollback_count"] > 0, rx.el.span(", ", rollbacks(c["rollback_count"]), class_name="muted")),
        ),
        rx.el.ul(rx.foreach(c["deploys"], _deploy_item), class_name="between"),
        rx.cond(c["list_href"] != "", rx.el.a("All ", c["deploy_count"], " deploys", href=c["list_href"])),
        rx.cond(
            count(c["pull_requests"]) > 0, rx.el.ol(rx.foreach(c["pull_requests"], _pull_request_item), class_name="pulls")
        ),
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


def _pull_request_item(p: rx.Var[PullRequestLine]) -> rx.Component:
    return rx.el.li(
        rx.el.a(rx.el.code(p["number"]), href=p["url"], rel="noreferrer"),
        rx.el.div(rx.el.a(p["title"], href=p["url"], rel="noreferrer"), rx.el.small(" · ", p["author"], class_name="muted")),
        key=p["number"],
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


def live_item(row: rx.Var[LiveRow]) -> rx.Component:
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
