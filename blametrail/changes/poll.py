"""Ask a code host what was merged, and what each pull request changed: the two jobs that keep the index whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import col, func, select

from blametrail.catalog.repositories import RepositoryLink
from blametrail.catalog.tables import ServiceRepository
from blametrail.changes.learn import learn
from blametrail.changes.tables import WatchedRepository
from blametrail.changes.watch import watched
from blametrail.codehosts.connections import Access, access_for, note_outcome
from blametrail.codehosts.facts import Files, PullRequestFact
from blametrail.codehosts.host import CodeHost, HostError, RateLimited
from blametrail.codehosts.opening import open_host
from blametrail.codehosts.pull_requests import keep_files, keep_pull_request
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.clock import now
from blametrail.kit.db import Database, ScopedSession
from blametrail.kit.jobs import Job, Later, finish_job
from blametrail.kit.keys import KeyRing

Open = Callable[[Access], CodeHost]

BACKFILL = timedelta(days=30)
OVERLAP = timedelta(hours=1)
"""Before the last poll: what a host's list showed late, or a clock of its own put there."""

MOST_AT_ONCE = 3_000
"""Pull requests of one poll, those changed last; for a backfill of a month more than the busiest repositories have."""

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
