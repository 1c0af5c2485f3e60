"""One deploy: what it brought, who, from where to where, and what stands around it."""

from __future__ import annotations

from typing import TypedDict
from uuid import UUID

import reflex as rx

from blametrail.accounts.roles import Actor, Role
from blametrail.deploys.enrichment.views import ask_again, patch_of
from blametrail.deploys.find import NO_DEPLOY, DeployDetail, find_deploy
from blametrail.deploys.views import DeployView, short, title_of
from blametrail.kit.db import database
from blametrail.kit.errors import NotFound
from blametrail.ui import live
from blametrail.ui.address import Address
from blametrail.ui.guard import action
from blametrail.ui.moments import Moments, from_the_whole_second_after
from blametrail.ui.parts.browser import CopyButton, When
from blametrail.ui.parts.deploys import DeployRow, deploy_row, environment_tag, kind_badge
from blametrail.ui.parts.enrichment import (
    NOTHING_CARRIED,
    Carried,
    CommitRow,
    carried,
    commit_list,
    commit_row,
    enrichment_state,
    file_groups,
    pull_request_list,
)
from blametrail.ui.parts.vars import count
from blametrail.ui.shell import shell, show_actor


class Shown(TypedDict):
    """Everything the page shows of its deploy."""

    deploy: DeployRow
    full_sha: str
    message: str
    description: str
    url: str
    from_sha: str
    from_note: str
    compare_url: str
    commit_url: str
    received_at: str
    late: bool
    team: str
    remarks: list[str]
    commits: list[CommitRow]
    carried: Carried


NO_ROW = DeployRow(
    id="", service="", service_id="", environment="", sha="", title="", branch="", version="", by="", kind="", at=""
)
NOTHING = Shown(
    deploy=NO_ROW, full_sha="", message="", description="", url="", from_sha="", from_note="", compare_url="",
    commit_url="", received_at="", late=False, team="", remarks=[], commits=[],
    carried=NOTHING_CARRIED,
)  # fmt: skip


class DeployState(rx.State):
    """The deploy that the address names."""

    ready: bool = False
    missing: str = ""
    shown: Shown = NOTHING
    previous: DeployRow = NO_ROW
    next: DeployRow = NO_ROW
    rollback_of: DeployRow = NO_ROW
    then_href: str = ""
    since_href: str = ""
    patches: dict[str, str] = {}

    @rx.event
    @action(Role.VIEWER)
    async def load(self, actor: Actor) -> None:
        await show_actor(self, actor)
        live.subscribe(self, actor.organization_id, "deploys")
        self.ready, self.patches = False, {}
        await self._refresh(actor)

    @rx.event
    @action(Role.VIEWER)
    async def open_patch(self, actor: Actor, key: str) -> None:
        """Show what changed in a file, asked for when somebody looks."""
        if key not in self.patches and key.isdecimal():
            patch = await database().read(actor.organization_id, patch_of, UUID(self.deploy_id), int(key))
            self.patches = self.patches | {key: patch}

    @rx.event
    @action(Role.RESPONDER)
    async def enrich_again(self, actor: Actor) -> None:
        await database().write(actor.organization_id, ask_again, actor, UUID(self.deploy_id))

    async def _refresh(self, actor: Actor) -> None:
        try:
            wanted = UUID(self.deploy_id)
            found = await database().read(actor.organization_id, find_deploy, wanted)
        except (ValueError, NotFound):
            self.ready, self.missing = True, NO_DEPLOY
            return
        self.ready, self.missing = True, ""
        self.shown = _shown(found)
        after, here = from_the_whole_second_after(found.deploy.deployed_at), Address(environments=(found.deploy.environment,))
        self.then_href = Moments(end=after, is_one=True, chosen=here).href()
        self.since_href = Moments(after, chosen=here).href()
        self.previous, self.next, self.rollback_of = _row(found.previous), _row(found.next), _row(found.rollback_of)


def _shown(found: DeployDetail) -> Shown:
    return Shown(
        deploy=deploy_row(found.deploy),
        full_sha=found.deploy.commit_sha,
        message=found.message.strip(),
        description=found.description,
        url=found.url,
        from_sha=short(found.from_sha),
        from_note="as CI said it" if found.from_is_stated else "from the deploy before",
        compare_url=found.compare_url,
        commit_url=found.commit_url,
        received_at=found.received_at.isoformat(),
        late=abs((found.received_at - found.deploy.deployed_at).total_seconds()) > 60,
        team=found.service.owner_team,
        remarks=list(found.remarks),
        commits=[
            CommitRow(
                sha=c.sha,
                short=c.short_sha,
                title=title_of(c.message) or c.short_sha,
                rest=c.message.strip().partition("\n")[2].strip(),
                author=c.author,
                at=c.authored_at.isoformat() if c.authored_at else "",
                url=c.url,
                pull_request="",
                is_taken_out=False,
            )
            for c in found.commits
        ],
        carried=carried(found.enrichment),
    )


def _row(d: DeployView | None) -> DeployRow:
    return deploy_row(d) if d else NO_ROW


def page() -> rx.Component:
    d = DeployState.shown["deploy"]
    return shell(
        rx.cond(DeployState.missing != "", "No such deploy", rx.cond(DeployState.ready, d["title"], "Deploy")),
        rx.cond(
            DeployState.missing != "",
            rx.el.p(DeployState.missing, " ", rx.el.a("All deploys", href="/deploys"), class_name="empty"),
            rx.cond(
                DeployState.ready,
                rx.el.div(_facts(), _carried(), _around(), class_name="deploy-page"),
                rx.el.div(class_name="skeleton table-skeleton", aria_label="Loading"),
            ),
        ),
    )


def _facts() -> rx.Component:
    shown, d = DeployState.shown, DeployState.shown["deploy"]
    return rx.el.section(
        rx.el.p(
            rx.el.a(d["service"], href=f"/services/{d['service_id']}", class_name="strong"),
            " ",
            environment_tag(d["environment"]),
            " ",
            kind_badge(d["kind"]),
            rx.cond(shown["team"] != "", rx.el.span(" · ", shown["team"], class_name="muted")),
            class_name="lede",
        ),
        rx.foreach(
            shown["remarks"], lambda remark: rx.el.p(rx.icon("triangle-alert", size=14), " ", remark, class_name="note")
        ),
        rx.cond(
            DeployState.rollback_of["id"] != "",
            rx.el.p(
                rx.el.span(
                    "Went back to ",
                    rx.el.a(DeployState.rollback_of["title"], href=f"/deploys/{DeployState.rollback_of['id']}"),
                    ", live from ",
                    When.create(at=DeployState.rollback_of["at"]),
                ),
                class_name="note rollback",
            ),
        ),
        rx.el.dl(
            _fact(
                "When",
                When.create(at=d["at"]),
                rx.cond(
                    shown["late"],
                    rx.el.span(" · reported ", When.create(at=shown["received_at"], short=True), class_name="muted"),
                ),
            ),
            _fact("Who", rx.cond(d["by"] != "", d["by"], "not said")),
            _fact("Version", rx.cond(d["version"] != "", d["version"], "not said")),
            _fact("Branch", rx.cond(d["branch"] != "", rx.el.code(d["branch"]), "not said")),
            _fact(
                "Commit",
                rx.cond(
                    shown["from_sha"] != "",
                    rx.fragment(rx.el.code(shown["from_sha"]), rx.el.span(" → ", aria_label="to")),
                    rx.fragment(),
                ),
                rx.cond(
                    shown["commit_url"] != "",
                    rx.el.a(rx.el.code(d["sha"]), href=shown["commit_url"], rel="noreferrer"),
                    rx.el.code(d["sha"]),
                ),
                " ",
                CopyButton.create(text=shown["full_sha"], label="Copy"),
                rx.cond(
                    shown["from_sha"] != "",
                    rx.el.small(" ", shown["from_note"], class_name="muted"),
                    rx.el.small(" nothing was live before", class_name="muted"),
                ),
            ),
            rx.cond(
                (shown["compare_url"] != "") & (shown["carried"]["compare_url"] == ""),
                _fact("Difference", rx.el.a("Compare on the code host", href=shown["compare_url"], rel="noreferrer")),
            ),
            _fact(
                "Around it",
                rx.el.a("What else was live then", href=DeployState.then_href),
                " · ",
                rx.el.a("What changed since", href=DeployState.since_href),
            ),
            rx.cond(shown["url"] != "", _fact("CI run", rx.el.a(shown["url"], href=shown["url"], rel="noreferrer nofollow"))),
            rx.cond(shown["description"] != "", _fact("Description", shown["description"])),
            class_name="facts",
        ),
        rx.cond(
            shown["message"] != "", rx.el.pre(shown["message"], class_name="message", tab_index=0, aria_label="Commit message")
        ),
        aria_label="Facts",
    )


def _fact(name: str, *value: rx.Component | rx.Var[str] | str) -> rx.Component:
    return rx.fragment(rx.el.dt(name), rx.el.dd(*value))


def _carried() -> rx.Component:
    shown = DeployState.shown["carried"]
    return rx.el.div(
        enrichment_state(shown, DeployState.shown["deploy"]["service_id"], DeployState.enrich_again),
        pull_request_list(shown["pull_requests"]),
        _commits(),
        file_groups(shown["groups"], DeployState.patches, DeployState.open_patch),
        class_name="carried",
    )


def _commits() -> rx.Component:
    """As the code host says; until it does, as CI said."""
    sent, shown = DeployState.shown["commits"], DeployState.shown["carried"]
    return rx.el.section(
        rx.el.h2("Commits"),
        rx.cond(
            count(shown["commits"]) > 0,
            commit_list(shown["commits"], shown["more_commits"]),
            rx.cond(
                count(sent) > 0,
                rx.el.ol(rx.foreach(sent, commit_row), class_name="commits"),
                rx.el.p("CI sent no list of commits with this deploy.", class_name="muted"),
            ),
        ),
    )


def _around() -> rx.Component:
    return rx.el.nav(
        _neighbour("Before", DeployState.previous, "Nothing was deployed here before."),
        _neighbour("After", DeployState.next, "This is the newest deploy here."),
        aria_label="Deploys around this one",
        class_name="neighbours",
    )


def _neighbour(label: str, row: rx.Var[DeployRow], none: str) -> rx.Component:
    return rx.el.div(
        rx.el.h2(label),
        rx.cond(
            row["id"] != "",
            rx.el.p(
                rx.el.a(row["title"], href=f"/deploys/{row['id']}"),
                " ",
                kind_badge(row["kind"]),
                rx.el.br(),
                rx.el.small(rx.el.code(row["sha"]), " · ", When.create(at=row["at"]), class_name="muted"),
            ),
            rx.el.p(none, class_name="muted"),
        ),
    )
