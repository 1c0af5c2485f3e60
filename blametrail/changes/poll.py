"""Ask a code host what was merged, and what each pull request changed: the two jobs that keep the index whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select

from blametrail.catalog.repositories import RepositoryLink
from blametrail.catalog.tables import ServiceRepository
from blametrail.changes.learn import BEHIND, COMPLETE_CHANGE, learn
from blametrail.changes.tables import WatchedRepository
from blametrail.changes.watch import watched
from blametrail.codehosts.access import Access
from blametrail.codehosts.connections import access_for, note_outcome
from blametrail.codehosts.facts import Files, PullRequestFact
from blametrail.codehosts.host import CodeHost, HostError, RateLimited
from blametrail.codehosts.opening import open_host
from blametrail.codehosts.pull_requests import keep_files, keep_pull_request
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.clock import now
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.jobs import Job, Later, announce_job, finish_job
from blametrail.kit.keys import KeyRing

Open = Callable[[Access], CodeHost]

BACKFILL = timedelta(days=30)
OVERLAP = timedelta(hours=1)
"""Before the last poll: what a host's list showed late, or a clock of its own put there."""

MOST_AT_ONCE = 3_000
"""Pull requests of one poll, those changed last; for a backfill of a month more than the busiest repositories have."""

MOST_INCOMPLETE = 200
BATCH = 20
TRIES = 4
AGAIN_AFTER_PASSING, AGAIN_AFTER_FAULT = timedelta(minutes=10), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which repository to ask, how, and since when; `access` is None when no connection reaches it."""

    host_url: str
    path: str
    since: datetime
    access: Access | None


async def poll_repository(db: Database, keys: KeyRing, job: Job, open_one: Open = open_host) -> None:
    """The job of one watched repository, whose id is the job's key: learn what was merged since it was asked last."""
    started = now()
    plan = await db.read(job.organization_id, plan_for, keys, UUID(job.key))
    if plan is None:
        return
    if plan.access is None:
        await db.write(job.organization_id, _note_fault, job, no_connection(plan.host_url), AGAIN_AFTER_FAULT)
        return
    try:
        is_all = await _learn_all(db, job, plan, plan.access, open_one)
    except RateLimited as error:
        await db.write(job.organization_id, _note_wait, job, error)
        raise Later(max(1.0, (error.until - now()).total_seconds()), error.reason) from None
    except HostError as error:
        await db.write(job.organization_id, note_outcome, plan.access.connection_id, error)
        again = AGAIN_AFTER_PASSING if error.is_passing else AGAIN_AFTER_FAULT
        await db.write(job.organization_id, _note_fault, job, error, again)
        return
    await db.write(job.organization_id, note_outcome, plan.access.connection_id, None)
    await db.write(job.organization_id, _note_success, job, plan, started, is_all)


async def _learn_all(db: Database, job: Job, plan: Plan, access: Access, open_one: Open) -> bool:
    """Learn a few at a time, so that others who write do not wait; whether there were not too many."""
    count, batch = 0, list[PullRequestFact]()
    async with open_one(access) as host:
        async for fact in host.merged_since(plan.path, plan.since):
            count += 1
            batch.append(fact)
            if len(batch) == BATCH or count == MOST_AT_ONCE:
                await db.write(job.organization_id, _learn_some, job, batch)
                batch = []
            if count == MOST_AT_ONCE:
                return False
        await db.write(job.organization_id, _learn_some, job, batch)
    return True


async def complete_change(db: Database, keys: KeyRing, job: Job, open_one: Open = open_host) -> None:
    """The job of one pull request, whose id is the job's key: fetch its files, and what its webhook did not tell."""
    plan = await db.read(job.organization_id, _plan_for_change, keys, UUID(job.key))
    if plan is None or plan.access is None:
        return
    try:
        async with open_one(plan.access) as host:
            fact = None if plan.is_whole else await host.pull_request(plan.path, plan.number)
            files = None if plan.has_files else await host.pull_request_files(plan.path, plan.number)
    except RateLimited as error:
        raise Later(max(1.0, (error.until - now()).total_seconds()), error.reason) from None
    except HostError as error:
        if error.is_passing and job.failures < TRIES:
            raise
        if not error.is_passing:
            return  # the poll tells what is wrong with the connection, and announces this again when it is mended
        fact, files = None, Files((), False)
    await db.write(job.organization_id, _keep, job, plan, fact, files)


@dataclass(frozen=True, slots=True)
class _ChangePlan:
    """A pull request that something is missing of."""

    host_url: str
    path: str
    number: int
    has_files: bool
    is_whole: bool
    access: Access | None


def plan_for(session: ScopedSession, keys: KeyRing, repository_id: UUID) -> Plan | None:
    """What to ask; None when the repository is not watched any more."""
    row = session.exec(select(WatchedRepository).where(WatchedRepository.id == repository_id)).first()
    if row is None:
        return None
    since = row.polled_at - OVERLAP if row.polled_at else now() - BACKFILL
    return Plan(row.host_url, row.path, since, _access(session, keys, row.host_url, row.path))


def no_connection(host_url: str) -> HostError:
    host = host_url.partition("://")[2]
    return HostError(f"No token is set for {host}.", "Add one under Settings, Code hosts.")


def _access(session: ScopedSession, keys: KeyRing, host_url: str, path: str) -> Access | None:
    """The organization's connection, else that of any service that links the repository."""
    link = RepositoryLink(host_url, path)
    found = access_for(session, keys, link)
    s = ServiceRepository
    at = func.lower(s.host_url) == host_url.lower(), func.lower(s.path) == path.lower()
    for service_id in session.exec(select(s.service_id).where(*at)):
        found = found or access_for(session, keys, link, service_id)
    return found


def _learn_some(session: ScopedSession, job: Job, facts: list[PullRequestFact]) -> None:
    if row := _row(session, job):
        for fact in facts:
            learn(session, row, fact)


def _note_success(session: ScopedSession, job: Job, plan: Plan, started: datetime, is_all: bool) -> None:
    if row := _row(session, job):
        row.polled_at = row.tried_at = started
        if row.known_since is None and is_all:
            row.known_since = plan.since
        row.fault = row.remedy = ""
        session.add(row)
        announce_incomplete(session, row)
        session.announce("changes")
    finish_job(session, job)


def _note_fault(session: ScopedSession, job: Job, fault: HostError, again: timedelta) -> None:
    if row := _row(session, job):
        row.tried_at, row.poll_at = now(), now() + again
        row.fault, row.remedy = fault.reason, fault.remedy
        session.add(row)
        session.announce("changes")
    finish_job(session, job)


def _note_wait(session: ScopedSession, job: Job, fault: RateLimited) -> None:
    """Nothing is wrong that anybody need mend; the next time is when the host allows it."""
    if row := _row(session, job):
        row.poll_at = fault.until
        session.add(row)


def _row(session: ScopedSession, job: Job) -> WatchedRepository | None:
    return session.exec(select(WatchedRepository).where(WatchedRepository.id == UUID(job.key))).first()


def announce_incomplete(session: ScopedSession, row: WatchedRepository) -> None:
    """Have fetched what is missing of the last weeks: a connection may have been mended."""
    p = PullRequest
    missing = select(p.id).where(
        p.host_url == row.host_url, p.repository == row.path, col(p.merged_at) >= now() - BACKFILL, col(p.has_files).is_(False)
    )
    for id_ in session.exec(missing.order_by(col(p.merged_at).desc()).limit(MOST_INCOMPLETE)):
        announce_job(session, COMPLETE_CHANGE, str(id_), priority=BEHIND)


def _plan_for_change(session: ScopedSession, keys: KeyRing, pull_request_id: UUID) -> _ChangePlan | None:
    """None when it is gone, complete, or of a repository that is not watched any more."""
    row = session.exec(select(PullRequest).where(PullRequest.id == pull_request_id)).first()
    if row is None or (row.has_files and row.author) or not watched(session, row.host_url, row.repository):
        return None
    access = _access(session, keys, row.host_url, row.repository)
    return _ChangePlan(row.host_url, row.repository, row.number, row.has_files, bool(row.author), access)


def _keep(session: ScopedSession, job: Job, plan: _ChangePlan, fact: PullRequestFact | None, files: Files | None) -> None:
    row = session.exec(select(PullRequest).where(PullRequest.id == UUID(job.key))).first()
    if row is not None:
        if fact is not None:
            keep_pull_request(session, plan.host_url, plan.path, fact)
        if files is not None:
            keep_files(session, row.id, files)
        session.announce("changes")
    finish_job(session, job)
