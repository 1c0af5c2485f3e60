"""Pull requests as we know them: one row for each, whoever learned of it first."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID, uuid4

from sqlalchemy import delete
from sqlmodel import col, select

from blametrail.codehosts.categories import ChangedFile, RankedFile, ranked
from blametrail.codehosts.facts import FileFact, Files, PullRequestFact
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit.db import ScopedSession

LARGEST_BODY = 50_000
LARGEST_PATCH = 60_000
"""Characters of one file's patch that are kept; a longer one is cut at a line, and its last line says so."""

LARGEST_PATCHES = 1_000_000
"""Characters of all patches of one change together; what comes after them, less worth reading, keeps its counts of lines."""

CUT = "\\ The rest of this patch is not kept here."


def keep_pull_request(session: ScopedSession, host_url: str, repository: str, fact: PullRequestFact) -> UUID:
    """Store what a host says of a pull request, unless something newer is known; answers its row's id."""
    row = session.exec(
        select(PullRequest).where(
            PullRequest.host_url == host_url, PullRequest.repository == repository, PullRequest.number == fact.number
        )
    ).first()
    if row is None:
        row = PullRequest(
            id=uuid4(),
            host_url=host_url,
            repository=repository,
            number=fact.number,
            title="",
            state=fact.state,
            url=fact.url,
            created_at=fact.created_at,
            updated_at=fact.updated_at,
        )
    elif row.updated_at > fact.updated_at:
        return row.id
    row.title, row.body, row.author = fact.title, fact.body[:LARGEST_BODY], fact.author
    row.labels, row.state, row.url = "\n".join(fact.labels), fact.state, fact.url
    row.base_branch, row.head_sha, row.merge_sha = fact.base_branch, fact.head_sha, fact.merge_sha
    row.created_at, row.updated_at, row.merged_at = fact.created_at, fact.updated_at, fact.merged_at
    session.add(row)
    session.flush()
    return row.id


def keep_files(session: ScopedSession, pull_request_id: UUID, changes: Files) -> None:
    """Store the files that a pull request changed, in place of those known before."""
    session.exec(delete(PullRequestFile).where(col(PullRequestFile.pull_request_id) == pull_request_id))
    for position, (file, patch) in enumerate(worth_reading_first(changes.files)):
        session.add(
            PullRequestFile(
                pull_request_id=pull_request_id,
                position=position,
                path=file.file.path,
                old_path=file.file.old_path,
                status=file.file.status,
                added=file.file.added,
                removed=file.file.removed,
                category=file.category,
                relevance=file.relevance,
                patch=patch,
            )
        )
    row = session.get_one(PullRequest, pull_request_id)
    row.has_files, row.has_all_files = True, changes.is_complete
    session.add(row)
    session.flush()


def worth_reading_first(files: Iterable[FileFact], prefix: str = "") -> list[tuple[RankedFile, str | None]]:
    """The files by relevance to what lives below `prefix`, each with as much of its patch as is kept."""
    given = {file.path: file for file in files}
    order = ranked((ChangedFile(f.path, f.status, f.added, f.removed, f.old_path) for f in given.values()), prefix)
    left, found = LARGEST_PATCHES, []
    for file in order:
        patch = _cut(given[file.file.path].patch)
        if patch is not None and len(patch) > left:
            patch = None
        left -= len(patch or "")
        found.append((file, patch))
    return found


def _cut(patch: str | None) -> str | None:
    if patch is None or len(patch) <= LARGEST_PATCH:
        return patch
    kept, _, _ = patch[:LARGEST_PATCH].rpartition("\n")
    return f"{kept}\n{CUT}"
