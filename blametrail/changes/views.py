"""What is shown of a change: as one of many, and on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from blametrail.catalog.tables import Service, ServiceRepository
from blametrail.changes.paths import PathPattern
from blametrail.changes.words import Piece, Term, excerpt, highlighted
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound

LOOKED_AT = 200
"""Files of each change that are looked at for matches, the first worth reading first."""

SHOWN_FILES = 3
LARGEST_LIST = 500
NO_CHANGE = "There is no such change in this organization. It may have been deleted, or the link is of another organization."


@dataclass(frozen=True, slots=True)
class FileView:
    """A changed file; `patch` is None where none is kept, and in lists."""

    path: str
    old_path: str
    status: str
    added: int
    removed: int
    category: str
    patch: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A merged pull request as one of many. `services` are ids and names; `matched_files` are paths in stretches."""

    id: str
    number: int
    title: str
    author: str
    host_url: str
    repository: str
    url: str
    labels: tuple[str, ...]
    merged_at: datetime
    files: int
    has_files: bool
    services: tuple[tuple[str, str], ...]
    title_pieces: tuple[Piece, ...]
    matched_files: tuple[tuple[Piece, ...], ...]
    excerpt: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class ChangeDetail:
    """A change on its own; its files by category, `categories` in the order worth reading."""

    change: ChangeView
    body: str
    base_branch: str
    merge_sha: str
    head_sha: str
    added: int
    removed: int
    has_all_files: bool
    categories: tuple[tuple[str, tuple[FileView, ...]], ...]


def change_views(
    session: ScopedSession, ids: Sequence[UUID], terms: Sequence[Term] = (), path: str = ""
) -> tuple[ChangeView, ...]:
    """The changes of these ids, in this order, with what matches of them marked."""
    of_this = select(func.count()).where(PullRequestFile.pull_request_id == PullRequest.id)
    counted = select(PullRequest, of_this.correlate(PullRequest).scalar_subquery()).where(col(PullRequest.id).in_(ids))
    rows = {row.id: (row, count) for row, count in session.exec(counted)}
    files = _first_files(session, ids)
    linked = _linked(session)
    return tuple(_view(*rows[id_], files.get(id_, []), linked, terms, path) for id_ in ids if id_ in rows)


def change_detail(session: ScopedSession, change_id: UUID) -> ChangeDetail:
    """One merged pull request with its files; raises NotFound."""
    row = session.exec(select(PullRequest).where(PullRequest.id == change_id, col(PullRequest.merged_at).is_not(None))).first()
    if row is None:
        raise NotFound(NO_CHANGE)
    (change,) = change_views(session, [change_id])
    of_this = select(PullRequestFile).where(PullRequestFile.pull_request_id == change_id)
    files = session.exec(of_this.order_by(col(PullRequestFile.position)).limit(LARGEST_LIST)).all()
    by_category: dict[str, list[FileView]] = {}
    for file in files:
        by_category.setdefault(file.category, []).append(_file(file))
    return ChangeDetail(
        change=change,
        body=row.body,
        base_branch=row.base_branch,
        merge_sha=row.merge_sha,
        head_sha=row.head_sha,
        added=sum(file.added for file in files),
        removed=sum(file.removed for file in files),
        has_all_files=row.has_files and row.has_all_files and len(files) < LARGEST_LIST,
        categories=tuple((name, tuple(found)) for name, found in by_category.items()),
    )


def _file(row: PullRequestFile) -> FileView:
    return FileView(row.path, row.old_path, row.status, row.added, row.removed, row.category, row.patch)


def _view(
    row: PullRequest, count: int, paths: Sequence[str], linked: Sequence[_Link], terms: Sequence[Term], path: str
) -> ChangeView:
    title = highlighted(row.title, terms)
    return ChangeView(
        id=str(row.id),
        number=row.number,
        title=row.title,
        author=row.author,
        host_url=row.host_url,
        repository=row.repository,
        url=row.url if row.url.startswith(("https://", "http://")) else "",
        labels=tuple(label for label in row.labels.splitlines() if label),
        merged_at=row.merged_at or row.updated_at,
        files=count,
        has_files=row.has_files,
        services=tuple(dict.fromkeys((link.service_id, link.service) for link in linked if link.brings(row, paths))),
        title_pieces=title,
        matched_files=_matched(paths, terms, path),
        excerpt=() if any(piece.is_match for piece in title) else excerpt(row.body, terms),
    )


def _matched(paths: Sequence[str], terms: Sequence[Term], path: str) -> tuple[tuple[Piece, ...], ...]:
    """The first files that the path asked for fits, or that have a word asked for."""
    pattern = PathPattern(path) if path else None
    found = []
    for one in paths:
        pieces = highlighted(one, terms)
        if pattern.fits(one) if pattern else any(piece.is_match for piece in pieces):
            found.append(pieces)
        if len(found) == SHOWN_FILES:
            break
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Link:
    service_id: str
    service: str
    host_url: str
    repository: str
    folder: str

    def brings(self, row: PullRequest, paths: Sequence[str]) -> bool:
        """Whether a change is of this service: of its repository, and where a folder is named, in it."""
        if (self.host_url, self.repository) != (row.host_url.lower(), row.repository.lower()):
            return False
        return not self.folder or not row.has_files or any(path.lower().startswith(self.folder) for path in paths)


def _linked(session: ScopedSession) -> list[_Link]:
    """What services link to, by the names of the services."""
    links = select(ServiceRepository, Service.name).join(Service, col(Service.id) == ServiceRepository.service_id)
    return [
        _Link(
            str(link.service_id),
            name,
            link.host_url.lower(),
            link.path.lower(),
            f"{link.path_prefix.lower()}/" if link.path_prefix else "",
        )
        for link, name in session.exec(links.order_by(func.lower(Service.name)))
    ]


def _first_files(session: ScopedSession, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    f = PullRequestFile
    of_these = select(f.pull_request_id, f.path).where(col(f.pull_request_id).in_(ids), f.position < LOOKED_AT)
    found: dict[UUID, list[str]] = {}
    for id_, path in session.exec(of_these.order_by(col(f.pull_request_id), col(f.position))):
        found.setdefault(id_, []).append(path)
    return found
