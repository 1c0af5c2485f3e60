"""What enrichment found of a deploy: stored in place of what was known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
from sqlmodel import col, select

from blametrail.catalog.repositories import RepositoryLink
from blametrail.codehosts.facts import CommitFact
from blametrail.codehosts.pull_requests import keep_pull_request, worth_reading_first
from blametrail.codehosts.tables import PullRequest
from blametrail.deploys.enrichment.gather import Difference, Origins
from blametrail.deploys.tables import Deploy, EnrichedCommit, EnrichedFile, EnrichedPullRequest, Enrichment
from blametrail.kit.clock import now
from blametrail.kit.db import Prepared, ScopedSession

_COMMIT, _FILE = Prepared(insert(EnrichedCommit)), Prepared(insert(EnrichedFile))
_PULL_REQUEST = Prepared(insert(EnrichedPullRequest))
LARGEST_MESSAGE = 20_000


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of one try: a state in words, and, if the host answered, what it said."""

    state: str
    reason: str
    remedy: str
    link: RepositoryLink | None = None
    difference: Difference | None = None
    origins: Origins | None = None
    calls: int = 0


def store_found(session: ScopedSession, deploy_id: UUID, found: Found, base: str, again_at: datetime | None) -> None:
    """Store a state; with commits, files and pull requests in place of those of an earlier try, if the host told of any."""
    if session.exec(select(Deploy.id).where(Deploy.id == deploy_id)).first() is None:
        return
    row = session.get(Enrichment, deploy_id) or Enrichment(deploy_id=deploy_id, state="")
    row.state, row.reason, row.remedy, row.base_sha = found.state, found.reason, found.remedy, base
    row.calls, row.tried_at, row.again_at = found.calls, now(), again_at
    if found.link and found.difference and found.origins:
        row.host_url, row.repository = found.link.host_url, found.link.path
        row.relation = found.difference.relation or ""
        row.total_commits, row.has_all_files = found.difference.total_commits, found.difference.has_all_files
        _replace(session, deploy_id, found.link, found.difference, found.origins)
    session.add(row)
    session.flush()
    session.announce("deploys")


def _replace(session: ScopedSession, deploy_id: UUID, link: RepositoryLink, difference: Difference, origins: Origins) -> None:
    for table in (EnrichedCommit, EnrichedFile, EnrichedPullRequest):
        session.exec(delete(table).where(col(table.deploy_id) == deploy_id))
    ids = _pull_requests(session, link, origins)
    for pull_request_id in sorted({ids[number] for number in origins.by_sha.values() if number in ids}):
        session.run(_PULL_REQUEST, deploy_id=deploy_id, pull_request_id=pull_request_id)
    commits = [(c, False) for c in difference.commits] + [(c, True) for c in difference.taken_out]
    for position, (commit, is_taken_out) in enumerate(commits):
        number = origins.by_sha.get(commit.sha)
        session.run(_COMMIT, deploy_id=deploy_id, position=position, is_taken_out=is_taken_out, **_commit(commit, number, ids))
    _files(session, deploy_id, link, difference)


def _pull_requests(session: ScopedSession, link: RepositoryLink, origins: Origins) -> dict[int, UUID]:
    """Ids of the rows of pull requests by number: those just learned, and those known before."""
    learned = {n: keep_pull_request(session, link.host_url, link.path, fact) for n, fact in origins.found.items()}
    rest = set(origins.by_sha.values()) - set(learned)
    known = select(PullRequest.number, PullRequest.id).where(
        PullRequest.host_url == link.host_url, PullRequest.repository == link.path, col(PullRequest.number).in_(rest)
    )
    return learned | dict(session.exec(known).all())


def _commit(commit: CommitFact, number: int | None, ids: Mapping[int, UUID]) -> dict[str, object]:
    return {
        "sha": commit.sha,
        "message": commit.message[:LARGEST_MESSAGE],
        "author": commit.author,
        "login": commit.login,
        "authored_at": commit.authored_at,
        "committed_at": commit.committed_at,
        "is_merge": len(commit.parents) > 1,
        "url": commit.url,
        "pull_request_id": ids.get(number) if number is not None else None,
    }


def _files(session: ScopedSession, deploy_id: UUID, link: RepositoryLink, difference: Difference) -> None:
    for position, (file, patch) in enumerate(worth_reading_first(difference.files, link.path_prefix)):
        session.run(
            _FILE,
            deploy_id=deploy_id,
            position=position,
            path=file.file.path,
            old_path=file.file.old_path,
            status=file.file.status,
            added=file.file.added,
            removed=file.file.removed,
            category=file.category,
            relevance=file.relevance,
            reasons="\n".join(file.reasons),
            patch=patch,
        )
