"""What a deploy carries, as its code host says, with what is missing and how to mend it."""

from __future__ import annotations

from typing import Any, TypedDict

import reflex as rx

from blametrail.deploys.enrichment.states import State
from blametrail.deploys.enrichment.views import EnrichedCommitView, EnrichmentView, FileGroup, PullRequestView
from blametrail.deploys.views import title_of
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.vars import count

MOST_COMMITS = 300
FEW_COMMITS = 12


class CommitRow(TypedDict):
    sha: str
    short: str
    title: str
    rest: str
    author: str
    at: str
    url: str
    pull_request: str
    is_taken_out: bool


class PullRequestRow(TypedDict):
    number: str
    title: str
    author: str
    labels: list[str]
    url: str
    merged_at: str
    commits: str
    is_taken_out: bool


class FileRow(TypedDict):
    key: str
    path: str
    old_path: str
    status: str
    added: str
    removed: str
    why: str
    has_patch: bool


class GroupRow(TypedDict):
    category: str
    files: list[FileRow]
    added: str
    removed: str


class Carried(TypedDict):
    """Everything the page shows of what a deploy carries."""

    state: str
    headline: str
    missing: list[str]
    remedies: list[str]
    again_at: str
    compare_url: str
    pull_requests: list[PullRequestRow]
    commits: list[CommitRow]
    more_commits: list[CommitRow]
    groups: list[GroupRow]
    summary: str


NOTHING_CARRIED = Carried(
    state="", headline="", missing=[], remedies=[], again_at="", compare_url="", pull_requests=[], commits=[],
    more_commits=[], groups=[], summary="",
)  # fmt: skip


def _nothing() -> list[rx.Var[Any]]:
    return []


class Patch(rx.Component):
    """A file that opens to its difference, a unified diff; while that is undefined, it is on its way."""

    library = "$/public/ui/patch.jsx"
    tag = "Patch"
    text: rx.Var[str]
    path: rx.Var[str]
    on_open: rx.EventHandler[_nothing]


def carried(view: EnrichmentView) -> Carried:
    commits = [_commit(c) for c in view.commits[:MOST_COMMITS]]
    return Carried(
        state=view.state,
        headline=_headline(view),
        missing=list(view.reasons),
        remedies=list(view.remedies),
        again_at=view.again_at.isoformat() if view.again_at else "",
        compare_url=view.compare_url,
        pull_requests=[_pull_request(p) for p in view.pull_requests],
        commits=commits[:FEW_COMMITS],
        more_commits=commits[FEW_COMMITS:],
        groups=[_group(g) for g in view.groups],
        summary=_summary(view),
    )


def _headline(view: EnrichmentView) -> str:
    taken_out = sum(c.is_taken_out for c in view.commits)
    brought = len(view.commits) - taken_out
    if view.state == State.WAITING and not view.commits:
        return "Asking the code host what this deploy carries…"
    if view.relation == "same":
        return "The same commit as before: nothing changed."
    if view.relation == "behind":
        return f"It went back: {_number(taken_out, 'commit')} that were live before were taken out again."
    if view.relation == "diverged":
        return (
            f"Its history parted from what was live before: {_number(brought, 'commit')} came, "
            f"{_number(taken_out, 'commit')} that were live before {'is' if taken_out == 1 else 'are'} not in it."
        )
    return ""


def _summary(view: EnrichmentView) -> str:
    files = [file for group in view.groups for file in group.files]
    if not files:
        return ""
    return f"{_number(len(files), 'file')}, +{sum(f.added for f in files):,} −{sum(f.removed for f in files):,}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _commit(c: EnrichedCommitView) -> CommitRow:
    return CommitRow(
        sha=c.sha,
        short=c.short_sha,
        title=title_of(c.message) or c.short_sha,
        rest=c.message.strip().partition("\n")[2].strip(),
        author=c.author,
        at=c.at.isoformat() if c.at else "",
        url=c.url,
        pull_request=f"#{c.pull_request}" if c.pull_request is not None else "",
        is_taken_out=c.is_taken_out,
    )


def _pull_request(p: PullRequestView) -> PullRequestRow:
    return PullRequestRow(
        number=f"#{p.number}",
        title=p.title or f"#{p.number}",
        author=p.author,
        labels=list(p.labels),
        url=p.url,
        merged_at=p.merged_at.isoformat() if p.merged_at else "",
        commits=_number(p.commit_count, "commit") if p.commit_count else "",
        is_taken_out=p.is_taken_out,
    )


def _group(g: FileGroup) -> GroupRow:
    return GroupRow(
        category=g.category,
        added=f"+{g.added:,}",
        removed=f"−{g.removed:,}",
        files=[
            FileRow(
                key=str(f.position),
                path=f.path,
                old_path=f.old_path,
                status=f.status,
                added=f"+{f.added:,}",
                removed=f"−{f.removed:,}",
                why=", ".join(reason for reason in f.reasons if reason != g.category),
                has_patch=f.has_patch,
            )
            for f in g.files
        ],
    )


def enrichment_state(shown: Any, service_id: Any, retry: Any) -> rx.Component:
    """How far it is known: what is missing and why, what to do, and a button that asks again."""
    is_whole = shown["state"] == State.COMPLETE
    return rx.el.section(
        rx.el.h2("What it carries ", rx.el.small(shown["summary"], class_name="muted")),
        rx.cond(shown["headline"] != "", rx.el.p(shown["headline"], role="status")),
        rx.cond(
            count(shown["missing"]) > 0,
            rx.el.div(
                rx.el.strong(
                    rx.match(
                        shown["state"],
                        ("partial", "Not everything is known."),
                        ("failed", "It could not be found out."),
                        ("not configured", "Not set up."),
                        "Not answered yet.",
                    )
                ),
                rx.foreach(shown["missing"], rx.el.p),
                rx.foreach(shown["remedies"], lambda line: rx.el.p(line, class_name="remedy")),
                rx.cond(
                    shown["again_at"] != "",
                    rx.el.p("It is asked again ", When.create(at=shown["again_at"]), ".", class_name="muted"),
                ),
                rx.cond(
                    (shown["state"] == State.NOT_CONFIGURED) | (shown["state"] == State.FAILED),
                    rx.el.p(
                        rx.el.a("Code hosts", href="/settings/code-hosts"),
                        " · ",
                        rx.el.a("The service's settings", href=f"/services/{service_id}"),
                    ),
                ),
                class_name=rx.cond(shown["state"] == State.WAITING, "gap quiet", "gap"),
                role="status",
            ),
        ),
        rx.el.div(
            rx.cond(
                shown["compare_url"] != "",
                rx.el.a("Compare on the code host", href=shown["compare_url"], rel="noreferrer", class_name="button"),
            ),
            rx.cond(~is_whole, rx.el.button("Ask again", type="button", on_click=retry, class_name="button")),
            class_name="row",
        ),
        aria_label="What it carries",
    )


def pull_request_list(rows: Any) -> rx.Component:
    return rx.cond(
        count(rows) > 0,
        rx.el.section(
            rx.el.h2("Pull requests ", rx.el.small(count(rows), class_name="muted")),
            rx.el.ol(rx.foreach(rows, _pull_request_row), class_name="pulls"),
        ),
    )


def _pull_request_row(p: rx.Var[PullRequestRow]) -> rx.Component:
    return rx.el.li(
        rx.el.a(rx.el.code(p["number"]), href=p["url"], rel="noreferrer"),
        rx.el.div(
            rx.el.a(p["title"], href=p["url"], rel="noreferrer"),
            " ",
            rx.foreach(p["labels"], lambda label: rx.el.span(label, class_name="badge")),
            rx.el.br(),
            rx.el.small(
                rx.cond(p["is_taken_out"], rx.el.strong("taken out · "), ""),
                p["author"],
                rx.cond(p["commits"] != "", rx.fragment(" · ", p["commits"]), ""),
                rx.cond(p["merged_at"] != "", rx.fragment(" · merged ", When.create(at=p["merged_at"])), ""),
                class_name="muted",
            ),
        ),
        class_name=rx.cond(p["is_taken_out"], "taken-out", ""),
        key=p["number"],
    )


def commit_list(few: Any, more: Any) -> rx.Component:
    return rx.cond(
        count(few) > 0,
        rx.fragment(
            rx.el.ol(rx.foreach(few, commit_row), class_name="commits"),
            rx.cond(
                count(more) > 0,
                rx.el.details(
                    rx.el.summary(f"Show {count(more)} more"),
                    rx.el.ol(rx.foreach(more, commit_row), class_name="commits"),
                    class_name="disclosure",
                ),
            ),
        ),
    )


def commit_row(c: rx.Var[CommitRow]) -> rx.Component:
    return rx.el.li(
        rx.cond(c["url"] != "", rx.el.a(rx.el.code(c["short"]), href=c["url"], rel="noreferrer"), rx.el.code(c["short"])),
        rx.el.div(
            rx.cond(
                c["rest"] != "",
                rx.el.details(rx.el.summary(c["title"]), rx.el.pre(c["rest"])),
                rx.el.span(c["title"]),
            ),
            rx.el.small(
                rx.cond(c["is_taken_out"], rx.el.strong("taken out · "), ""),
                rx.cond(c["pull_request"] != "", rx.fragment(c["pull_request"], " · "), ""),
                c["author"],
                rx.cond(c["at"] != "", rx.fragment(" · ", When.create(at=c["at"])), ""),
                class_name="muted",
            ),
        ),
        class_name=rx.cond(c["is_taken_out"], "taken-out", ""),
        key=c["sha"],
    )


def file_groups(groups: Any, patches: Any, open_patch: Any) -> rx.Component:
    """Changed files by category; a file's difference is asked for when it is opened."""
    return rx.cond(
        count(groups) > 0,
        rx.el.section(
            rx.el.h2("Changed files"),
            rx.foreach(groups, lambda group: _file_group(group, patches, open_patch)),
            aria_label="Changed files",
        ),
    )


def _file_group(group: rx.Var[GroupRow], patches: Any, open_patch: Any) -> rx.Component:
    return rx.el.div(
        rx.el.h3(
            group["category"],
            " ",
            rx.el.small(count(group["files"]), " · ", _lines(group), class_name="muted"),
        ),
        rx.el.ul(
            rx.foreach(group["files"].to(list[FileRow]), lambda file: _file(file, patches, open_patch)), class_name="files"
        ),
        key=group["category"],
    )


def _file(file: rx.Var[FileRow], patches: Any, open_patch: Any) -> rx.Component:
    name = rx.fragment(
        rx.cond(file["status"] != "modified", rx.el.span(file["status"], class_name="badge")),
        rx.cond(file["old_path"] != "", rx.fragment(rx.el.code(file["old_path"]), " → ")),
        rx.el.code(file["path"]),
        " ",
        _lines(file),
        rx.el.small(" ", file["why"], class_name="muted"),
    )
    return rx.el.li(
        rx.cond(
            file["has_patch"],
            Patch.create(name, text=patches[file["key"]], path=file["path"], on_open=open_patch(file["key"])),
            rx.el.span(name, class_name="no-patch"),
        ),
        key=file["key"],
    )


def _lines(of: Any) -> rx.Component:
    return rx.el.span(rx.el.span(of["added"], class_name="plus"), " ", rx.el.span(of["removed"], class_name="minus"))
