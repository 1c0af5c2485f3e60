"""What several deploys of one service brought together: as their code host says; where it was not asked, as CI said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, select

from blametrail.catalog.repositories import RepositoryLink, commit_url
from blametrail.codehosts.tables import PullRequest
from blametrail.deploys.enrichment.states import State
from blametrail.deploys.find import CommitView
from blametrail.deploys.tables import DeployCommit, EnrichedCommit, Enrichment
from blametrail.deploys.views import short, title_of
from blametrail.kit.db import ScopedSession

MOST_COMMITS = 50


@dataclass(frozen=True, slots=True)
class CarriedPullRequest:
    number: int
    title: str
    author: str
    url: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What deploys brought, as far as it is known; `is_whole` says whether this is all of it."""

    commits: tuple[CommitView, ...] = ()
    pull_requests: tuple[CarriedPullRequest, ...] = ()
    is_whole: bool = True


NOTHING_CARRIED = Carried()


def carried(session: ScopedSession, deploy_ids: Sequence[UUID], link: RepositoryLink | None) -> Carried:
    """The commits of deploys, those of the first deploy first, and the pull requests they came by."""
    if not deploy_ids:
        return NOTHING_CARRIED
    asked = select(Enrichment.deploy_id, Enrichment.state).where(col(Enrichment.deploy_id).in_(deploy_ids))
    states = {id_: state for id_, state in session.exec(asked) if state in {State.COMPLETE, State.PARTIAL}}
    enriched = {id_: _enriched(session, id_) for id_ in states}
    once: dict[str, CommitView] = {}
    by: dict[str, UUID | None] = {}
    for id_ in deploy_ids:
        for commit, pull_request_id in enriched[id_] if id_ in enriched else _named(session, id_, link):
            once.setdefault(commit.sha, commit)
            by.setdefault(commit.sha, pull_request_id)
        if len(once) > MOST_COMMITS:
            break
    shown = list(once.values())[:MOST_COMMITS]
    is_whole = len(once) <= MOST_COMMITS and all(state == State.COMPLETE for state in states.values())
    return Carried(tuple(shown), _pull_requests(session, (by[commit.sha] for commit in shown)), is_whole)


def _enriched(session: ScopedSession, deploy_id: UUID) -> list[tuple[CommitView, UUID | None]]:
    """Newest first, without those that a rollback took out."""
    rows = session.exec(
        select(EnrichedCommit)
        .where(EnrichedCommit.deploy_id == deploy_id, ~col(EnrichedCommit.is_taken_out))
        .order_by(col(EnrichedCommit.position).desc())
        .limit(MOST_COMMITS + 1)
    )
    return [
        (
            CommitView(c.sha, short(c.sha), title_of(c.message), (c.author or c.login)[:200], c.authored_at, c.url),
            c.pull_request_id,
        )
        for c in rows
    ]


def _named(session: ScopedSession, deploy_id: UUID, link: RepositoryLink | None) -> list[tuple[CommitView, UUID | None]]:
    """Those that CI named, in its order."""
    rows = session.exec(
        select(DeployCommit)
        .where(DeployCommit.deploy_id == deploy_id)
        .order_by(col(DeployCommit.position))
        .limit(MOST_COMMITS + 1)
    )
    return [
        (CommitView(c.sha, short(c.sha), title_of(c.message), c.author[:200], c.authored_at, _url(link, c.sha)), None)
        for c in rows
    ]


def _url(link: RepositoryLink | None, sha: str) -> str:
    return commit_url(link, sha) if link else ""


def _pull_requests(session: ScopedSession, ids: Iterable[UUID | None]) -> tuple[CarriedPullRequest, ...]:
    wanted = list(dict.fromkeys(id_ for id_ in ids if id_))
    rows = {row.id: row for row in session.exec(select(PullRequest).where(col(PullRequest.id).in_(wanted)))}
    found = (rows[id_] for id_ in wanted if id_ in rows)
    return tuple(CarriedPullRequest(row.number, row.title, row.author, row.url) for row in found)
