"""Learn of a merged pull request: keep it, have its files fetched, tell the pages."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import select

import blametrail.changes.index  # noqa: F401  (the index follows whatever is stored)
from blametrail.changes.tables import WatchedRepository
from blametrail.changes.told import with_known
from blametrail.codehosts.facts import PullRequestFact
from blametrail.codehosts.pull_requests import keep_pull_request
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.db import ScopedSession
from blametrail.kit.jobs import announce_job

COMPLETE_CHANGE = "complete_change"
BEHIND = 10
"""Priority of these jobs: what deploys wait for goes first."""


def learn(session: ScopedSession, repository: WatchedRepository, fact: PullRequestFact, *, is_whole: bool = True) -> UUID:
    """Store what was told of a pull request of a watched repository; `is_whole` when nothing but its files is missing."""
    known = session.exec(
        select(PullRequest).where(
            PullRequest.host_url == repository.host_url,
            PullRequest.repository == repository.path,
            PullRequest.number == fact.number,
        )
    ).first()
    if known is not None and not is_whole:
        fact = with_known(fact, known.author, known.merged_at)
    is_news = known is None or (known.updated_at, known.state) != (fact.updated_at, fact.state)
    id_ = known.id if known and not is_news else keep_pull_request(session, repository.host_url, repository.path, fact)
    if known is None or not known.has_files or not (is_whole or fact.author):
        announce_job(session, COMPLETE_CHANGE, str(id_), priority=BEHIND)
    if is_news:
        session.announce("changes")
    return id_
