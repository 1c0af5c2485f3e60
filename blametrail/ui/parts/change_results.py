"""How a merged pull request looks among others, and opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

import reflex as rx

from blametrail.changes.views import ChangeDetail, ChangeView, FileView
from blametrail.changes.words import Piece
from blametrail.ui.parts.browser import When
from blametrail.ui.parts.vars import count


class PieceRow(TypedDict):
    text: str
    hit: bool


class PathRow(TypedDict):
    pieces: list[PieceRow]


class ServiceRow(TypedDict):
    id: str
    name: str


class FoundRow(TypedDict):
    """A change as one of many; every value is text for the page."""

    id: str
    number: str
    title: list[PieceRow]
    author: str
    repository: str
    url: str
    merged_at: str
    files: str
    labels: list[str]
    services: list[ServiceRow]
    paths: list[PathRow]
    excerpt: list[PieceRow]


class FileRow(TypedDict):
    path: str
    old_path: str
    status: str
    added: str
    removed: str


class CategoryRow(TypedDict):
    name: str
    files: list[FileRow]


class OpenedRow(TypedDict):
    """The change that is open; `id` is empty when none is."""

    id: str
    body: str
    base: str
    merge: str
    added: str
    removed: str
    gap: str
    categories: list[CategoryRow]


NONE_OPEN = OpenedRow(id="", body="", base="", merge="", added="", removed="", gap="", categories=[])


def found_row(c: ChangeView) -> FoundRow:
    return FoundRow(
        id=c.id,
        number=f"#{c.number}",
        title=_pieces(c.title_pieces),
        author=c.author,
        repository=c.repository,
        url=c.url,
        merged_at=c.merged_at.isoformat(),
        files=f"{c.files} {'file' if c.files == 1 else 'files'}" if c.has_files else "files not fetched yet",
        labels=list(c.labels[:8]),
        services=[ServiceRow(id=id_, name=name) for id_, name in c.services],
        paths=[PathRow(pieces=_pieces(path)) for path in c.matched_files],
        excerpt=_pieces(c.excerpt),
    )


def opened_row(d: ChangeDetail) -> OpenedRow:
    if not d.change.has_files:
        gap = "Its files are not fetched yet."
    else:
        gap = "" if d.has_all_files else "These are not all of its files: the code host gave no more, or more than are shown."
    return OpenedRow(
        id=d.change.id,
        body=d.body,
        base=d.base_branch,
        merge=d.merge_sha[:12],
        added=f"+{d.added}",
        removed=f"−{d.removed}",
        gap=gap,
        categories=[CategoryRow(name=name, files=[_file(file) for file in files]) for name, files in d.categories],
    )


def _pieces(pieces: Sequence[Piece]) -> list[PieceRow]:
    return [PieceRow(text=piece.text, hit=piece.is_match) for piece in pieces]


def _file(f: FileView) -> FileRow:
    return FileRow(path=f.path, old_path=f.old_path, status=f.status, added=f"+{f.added}", removed=f"−{f.removed}")


def change_list(rows: rx.Var[list[FoundRow]], opened: rx.Var[OpenedRow], toggle: Callable[..., Any]) -> rx.Component:
    return rx.el.ol(
        rx.foreach(rows, lambda c: _item(c, opened, toggle)), class_name="found", aria_label="Changes, the best match first"
    )


def _item(c: rx.Var[FoundRow], opened: rx.Var[OpenedRow], toggle: Callable[..., Any]) -> rx.Component:
    is_open = opened["id"] == c["id"]
    return rx.el.li(
        rx.el.h2(
            rx.el.button(
                rx.icon(tag="chevron-right", size=14, aria_hidden="true", class_name="twist"),
                rx.el.span(c["number"], class_name="muted"),
                rx.el.span(_marked(c["title"]), class_name="found-title"),
                type="button",
                on_click=toggle(c["id"]),
                custom_attrs={"aria-expanded": rx.cond(is_open, "true", "false")},
            ),
        ),
        rx.el.p(
            rx.cond(c["author"] != "", rx.fragment("by ", c["author"], " · "), rx.fragment()),
            c["repository"],
            " · merged ",
            When.create(at=c["merged_at"]),
            " · ",
            c["files"],
            rx.foreach(c["services"], _service),
            rx.foreach(c["labels"], lambda label: rx.fragment(" ", rx.el.span(label, class_name="badge"))),
            class_name="muted",
        ),
        rx.cond(count(c["excerpt"]) > 0, rx.el.p(_marked(c["excerpt"]), class_name="excerpt")),
        rx.cond(
            count(c["paths"]) > 0,
            rx.el.ul(rx.foreach(c["paths"], lambda p: rx.el.li(rx.el.code(_marked(p["pieces"])))), class_name="hits"),
        ),
        rx.cond(is_open, _opened(c, opened)),
        key=c["id"],
        custom_attrs={"data-change": c["id"]},
    )


def _service(s: rx.Var[ServiceRow]) -> rx.Component:
    return rx.fragment(" · ", rx.el.a(s["name"], href=f"/services/{s['id']}"))


def _marked(pieces: rx.Var[list[PieceRow]]) -> rx.Component:
    return rx.foreach(pieces, lambda p: rx.cond(p["hit"], rx.el.mark(p["text"]), rx.el.span(p["text"])))


def _opened(c: rx.Var[FoundRow], d: rx.Var[OpenedRow]) -> rx.Component:
    return rx.el.div(
        rx.el.p(
            rx.cond(c["url"] != "", rx.fragment(rx.el.a("Open on the code host", href=c["url"], rel="noreferrer"), " · ")),
            rx.el.a("Link to this", href=f"/changes?change={c['id']}"),
            " · into ",
            rx.el.code(d["base"]),
            rx.cond(d["merge"] != "", rx.fragment(" as ", rx.el.code(d["merge"]))),
        ),
        rx.cond(
            d["body"] != "",
            rx.el.pre(d["body"], class_name="body", tab_index=0, aria_label="Description"),
            rx.el.p("It has no description.", class_name="muted"),
        ),
        rx.cond(
            count(d["categories"]) > 0,
            rx.el.p(
                rx.el.strong("Files"),
                " ",
                rx.el.span(d["added"], class_name="plus"),
                " ",
                rx.el.span(d["removed"], class_name="minus"),
            ),
        ),
        rx.cond(d["gap"] != "", rx.el.p(d["gap"], class_name="gap")),
        rx.foreach(d["categories"], _category),
        class_name="carried opened",
    )


def _category(group: rx.Var[CategoryRow]) -> rx.Component:
    return rx.el.div(
        rx.el.h3(group["name"], rx.el.small(" ", count(group["files"]))),
        rx.el.ul(rx.foreach(group["files"], _changed_file), class_name="files"),
    )


def _changed_file(f: rx.Var[FileRow]) -> rx.Component:
    return rx.el.li(
        rx.el.code(f["path"]),
        rx.cond(f["old_path"] != "", rx.el.small(" was ", rx.el.code(f["old_path"]), class_name="muted")),
        " ",
        rx.cond(f["status"] != "modified", rx.el.span(f["status"], class_name="badge")),
        " ",
        rx.el.span(f["added"], class_name="plus"),
        " ",
        rx.el.span(f["removed"], class_name="minus"),
    )
