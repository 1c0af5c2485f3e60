"""What may be shown of what a deploy carries, and of how far that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from blametrail.accounts.roles import Actor, Role
from blametrail.catalog.repositories import RepositoryLink, compare_url
from blametrail.catalog.tables import ServiceRepository
from blametrail.codehosts.tables import PullRequest
from blametrail.deploys.enrichment.states import State, announce_enrichment, no_repository
from blametrail.deploys.tables import Deploy, EnrichedCommit, EnrichedFile, EnrichedPullRequest, Enrichment
from blametrail.deploys.views import short
from blametrail.kit.db import ScopedSession
from blametrail.kit.errors import NotFound


@dataclass(frozen=True, slots=True)
class EnrichedCommitView:
    sha: str
    short_sha: str
    message: str
    author: str
    at: datetime | None
    url: str
    pull_request: int | None
    is_merge: bool
    is_taken_out: bool


@dataclass(frozen=True, slots=True)
class PullRequestView:
    id: str
    number: int
    title: str
    author: str
    labels: tuple[str, ...]
    url: str
    merged_at: datetime | None
    commit_count: int
    is_taken_out: bool


@dataclass(frozen=True, slots=True)
class FileView:
    """A changed file without its patch, which is asked for by `position`."""

    position: int
    path: str
    old_path: str
    status: str
    added: int
    removed: int
    reasons: tuple[str, ...]
    has_patch: bool


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files of one category, most worth reading first."""

    category: str
    files: tuple[FileView, ...]
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class EnrichmentView:
    """What is known of what a deploy carries; lines of `reasons` say what is missing, those of `remedies` what to do."""

    state: State
    reasons: tuple[str, ...]
    remedies: tuple[str, ...]
    relation: str
    compare_url: str
    total_commits: int
    tried_at: datetime | None
    again_at: datetime | None
    pull_requests: tuple[PullRequestView, ...] = ()
    commits: tuple[EnrichedCommitView, ...] = ()
    groups: tuple[FileGroup, ...] = ()


def enrichment_of(session: ScopedSession, deploy: Deploy, service: str) -> EnrichmentView:
    """What is known of a deploy, whether it was asked about already or not."""
    row = session.get(Enrichment, deploy.id)
    if row is None:
        return _not_asked_yet(session, deploy, service)
    link = RepositoryLink(row.host_url, row.repository) if row.repository else None
    commits = _commits(session, deploy.id)
    return EnrichmentView(
        State(row.state),
        tuple(row.reason.splitlines()),
        tuple(row.remedy.splitlines()),
        row.relation,
        compare_url(link, row.base_sha, deploy.commit_sha) if link and row.base_sha and row.relation != "same" else "",
        row.total_commits,
        row.tried_at,
        row.again_at,
        _pull_requests(session, deploy.id, commits),
        commits,
        _groups(session, deploy.id),
    )


def patch_of(session: ScopedSession, deploy_id: UUID, position: int) -> str:
    """The patch of a file of a deploy; raises NotFound."""
    patch = session.exec(
        select(EnrichedFile.patch).where(EnrichedFile.deploy_id == deploy_id, EnrichedFile.position == position)
    ).first()
    if patch is None:
        raise NotFound("The difference of this file is not kept here. Open it on the code host.")
    return patch


def ask_again(session: ScopedSession, actor: Actor, deploy_id: UUID) -> None:
    """Have a deploy enriched once more, because somebody says so; raises NotFound."""
    actor.require(Role.RESPONDER)
    if session.exec(select(Deploy.id).where(Deploy.id == deploy_id)).first() is None:
        raise NotFound("There is no such deploy in this organization. It may have been deleted.")
    row = session.get(Enrichment, deploy_id)
    if row is not None:
        row.state, row.reason, row.remedy, row.again_at = State.WAITING, "", "", None
        session.add(row)
        session.announce("deploys")
    announce_enrichment(session, deploy_id)


def _not_asked_yet(session: ScopedSession, deploy: Deploy, service: str) -> EnrichmentView:
    linked = select(ServiceRepository.id).where(ServiceRepository.service_id == deploy.service_id)
    if session.exec(linked.limit(1)).first() is not None:
        return EnrichmentView(State.WAITING, (), (), "", "", 0, None, None)
    reason, remedy = no_repository(service)
    return EnrichmentView(State.NOT_CONFIGURED, (reason,), (remedy,), "", "", 0, None, None)


def _commits(session: ScopedSession, deploy_id: UUID) -> tuple[EnrichedCommitView, ...]:
    """Newest first, those that were taken out last."""
    rows = session.exec(
        select(EnrichedCommit, PullRequest.number)
        .outerjoin(PullRequest, col(PullRequest.id) == col(EnrichedCommit.pull_request_id))
        .where(EnrichedCommit.deploy_id == deploy_id)
        .order_by(col(EnrichedCommit.is_taken_out), col(EnrichedCommit.position).desc())
    )
    return tuple(
        EnrichedCommitView(
            row.sha,
            short(row.sha),
            row.message,
            row.author or row.login,
            row.committed_at or row.authored_at,
            row.url,
            number,
            row.is_merge,
            row.is_taken_out,
        )
        for row, number in rows
    )


def _pull_requests(
    session: ScopedSession, deploy_id: UUID, commits: Sequence[EnrichedCommitView]
) -> tuple[PullRequestView, ...]:
    """Merged last first."""
    rows = session.exec(
        select(PullRequest)
        .join(EnrichedPullRequest, col(EnrichedPullRequest.pull_request_id) == col(PullRequest.id))
        .where(EnrichedPullRequest.deploy_id == deploy_id)
        .order_by(col(PullRequest.merged_at).desc().nulls_last(), col(PullRequest.number).desc())
    )
    counts = Counter(commit.pull_request for commit in commits if not commit.is_merge)
    brought = {commit.pull_request for commit in commits if not commit.is_taken_out}
    return tuple(
        PullRequestView(
            str(row.id),
            row.number,
            row.title,
            row.author,
            tuple(row.labels.splitlines()),
            row.url,
            row.merged_at,
            counts[row.number],
            row.number not in brought,
        )
        for row in rows
    )


def _groups(session: ScopedSession, deploy_id: UUID) -> tuple[FileGroup, ...]:
    """Categories in the order of their most relevant file."""
    columns: Any = (
        EnrichedFile.position, EnrichedFile.path, EnrichedFile.old_path, EnrichedFile.status, EnrichedFile.added,
        EnrichedFile.removed, EnrichedFile.reasons, EnrichedFile.category, col(EnrichedFile.patch).is_not(None),
    )  # fmt: skip
    of_deploy: Any = select(*columns).where(EnrichedFile.deploy_id == deploy_id).order_by(col(EnrichedFile.position))
    rows = session.exec(of_deploy).all()
    first = {row.category: row.position for row in reversed(rows)}
    ordered = sorted(rows, key=lambda row: (first[row.category], row.position))
    groups = []
    for category, members in groupby(ordered, key=lambda row: row.category):
        files = tuple(
            FileView(r.position, r.path, r.old_path, r.status, r.added, r.removed, tuple(r.reasons.splitlines()), bool(r[8]))
            for r in members
        )
        groups.append(FileGroup(category, files, sum(f.added for f in files), sum(f.removed for f in files)))
    return tuple(groups)
