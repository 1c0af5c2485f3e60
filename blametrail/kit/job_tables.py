"""Rows of jobs, and how each goes from one state to the next.

waiting → running → done        or waiting once more, if it was announced while it ran
   ↑         ↓
   └─ failed, postponed, handed back, lease ran out;   after too many failures → parked
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import SystemRandom
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Update, text, update
from sqlmodel import Field, Index, col, select

from blametrail.kit import live
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession, Tenanted, UtcTime

JOBS_TOPIC, PARKED_TOPIC = "jobs", "parked_jobs"
"""There may be something to do; the list of parked jobs is another."""

ABANDONED = "The process that ran it ended, or lost the database for too long."
UNFINISHED = "finished_at IS NULL"
_dice = SystemRandom()


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PARKED = "parked"
    DONE = "done"


class LeaseLost(Exception):
    """Another process has the job, or nobody: what was done for it in this transaction must not be kept."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job as its handler sees it: `id` is the same at each try, `claim` another; `failures` are those so far."""

    id: UUID
    organization_id: UUID
    kind: str
    key: str
    payload: Mapping[str, Any]
    failures: int
    claim: UUID


def _index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of those rows only that it is made for: most jobs are done, and most indexes have none of them."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


class JobRow(Tenanted, table=True):
    """Work that a transaction announced, to be done at least once after it."""

    __tablename__ = "job"
    __table_args__ = (
        _index("uq_job_unfinished", "organization_id", "kind", "key", where=UNFINISHED, unique=True),
        # Which is next, by turns of the organizations; whether there is any; which to forget.
        _index("ix_job_turn", "organization_id", "priority", "available_at", where="available_at IS NOT NULL"),
        _index("ix_job_available", "available_at", where="available_at IS NOT NULL"),
        _index("ix_job_finished", "finished_at", where="finished_at IS NOT NULL"),
    )

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    key: str
    payload: str  # JSON
    priority: int  # smaller goes first
    state: str
    failures: int
    reason: str  # why it waits again or is parked, for people
    claim: UUID | None = None  # made anew at each claim; who still holds it may settle the job
    announced_at: datetime = Field(sa_type=UtcTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcTime)
    # When a worker may take it: while it runs, that is when its lease ends. None when parked or done.
    available_at: datetime | None = Field(default=None, sa_type=UtcTime)
    # Announced while it ran: when to run it once more.
    again_at: datetime | None = Field(default=None, sa_type=UtcTime)

    def start(self, lease: timedelta) -> Job:
        """Claim it. What was announced until now is what this run is for."""
        self.state, self.claim, self.again_at = State.RUNNING, uuid4(), None
        self.started_at = now()
        self.available_at = self.started_at + lease
        payload = json.loads(self.payload)
        return Job(self.id, self.organization_id, self.kind, self.key, payload, self.failures, self.claim)

    def finish(self) -> None:
        """Done, or waiting once more. It keeps its claim, so that its worker sees that it was settled."""
        self.failures, self.reason = 0, ""
        if self.again_at is None:
            self.state, self.finished_at, self.available_at = State.DONE, now(), None
        else:
            self.state, self.available_at, self.started_at = State.WAITING, self.again_at, None

    def wait(self, seconds: float, reason: str) -> None:
        self.state, self.reason, self.claim = State.WAITING, reason, None
        self.available_at = now() + timedelta(seconds=seconds)

    def fail(self, reason: str, waits: Sequence[float]) -> None:
        """Try again after the next of the waits (seconds, a fifth more or less); parked when none is left."""
        self.failures += 1
        if self.failures > len(waits):
            self.park(reason)
        else:
            self.wait(waits[self.failures - 1] * _dice.uniform(0.8, 1.2), reason)

    def park(self, reason: str) -> None:
        """Leave it to a person. If it was announced while it ran, it gets one more try, as a parked one does."""
        self.state = State.PARKED if self.again_at is None else State.WAITING
        self.reason, self.claim, self.available_at = reason, None, self.again_at


def first_available_at(session: ScopedSession, kinds: Collection[str]) -> datetime | None:
    """When the next job of these kinds may be taken; None when there is none."""
    available_at = col(JobRow.available_at)
    wanted = select(JobRow.available_at).where(available_at.is_not(None), col(JobRow.kind).in_(kinds))
    return session.exec(wanted.order_by(available_at).limit(1)).first()


def claim_jobs(
    session: ScopedSession,
    kinds: Collection[str],
    *,
    free: int,
    busy: Sequence[UUID],
    most: int,
    after: UUID,
    lease: timedelta,
    waits: Sequence[float],
) -> list[Job]:
    """Claim up to `free` due jobs, one of each organization in turn, beginning behind the organization `after`.
    `busy` names the organization of each running job; no organization gets more than `most` at a time."""
    claimed: list[Job] = []
    running = Counter(busy)
    while len(claimed) < free:
        row = _next_due(session, kinds, [each for each, jobs in running.items() if jobs >= most], after)
        if row is None:
            break
        after = row.organization_id
        if row.state == State.RUNNING:  # its lease ran out: a job that ends its process must be parked some day, too
            row.failures, row.reason = row.failures + 1, ABANDONED
            if row.failures > len(waits):
                row.park(ABANDONED)
                _tell_of_parked(session, row)
                continue
        claimed.append(row.start(lease))
        running[after] += 1
    return claimed


def _next_due(session: ScopedSession, kinds: Collection[str], full: Collection[UUID], after: UUID) -> JobRow | None:
    organization_id = col(JobRow.organization_id)
    due = (
        select(JobRow)
        .where(col(JobRow.available_at) <= now(), col(JobRow.kind).in_(kinds), organization_id.not_in(full))
        .order_by(organization_id, col(JobRow.priority), col(JobRow.available_at))
        .limit(1)
        .with_for_update(skip_locked=True)  # on SQLite nobody else writes
    )
    return session.exec(due.where(organization_id > after)).first() or session.exec(due).first()


def renew_leases(session: ScopedSession, jobs: Collection[Job], lease: timedelta) -> set[UUID]:
    """Hold on to running jobs; answers the claims that still stand."""
    renewed = _update_held(jobs).values(available_at=now() + lease).returning(col(JobRow.claim))
    return set(session.scalars(renewed))


def release_jobs(session: ScopedSession, jobs: Collection[Job]) -> None:
    """Hand back running jobs: anybody may take them at once."""
    released = _update_held(jobs).values(state=State.WAITING, claim=None, available_at=now())
    for organization_id in session.scalars(released.returning(col(JobRow.organization_id))):
        live.announce(session, organization_id, JOBS_TOPIC)


def _update_held(jobs: Collection[Job]) -> Update:
    return update(JobRow).where(
        col(JobRow.id).in_([job.id for job in jobs]),
        col(JobRow.claim).in_([job.claim for job in jobs]),
        col(JobRow.state) == State.RUNNING,
    )


def settle_job(session: ScopedSession, job: Job, change: Callable[[JobRow], None]) -> None:
    """Write down what became of a claimed job, unless its handler did; raises LeaseLost."""
    row = session.exec(select(JobRow).where(col(JobRow.id) == job.id).with_for_update()).first()
    if row is None or row.claim != job.claim:
        raise LeaseLost(f"the job {job.kind} {job.key} is not held any more")
    if row.state == State.RUNNING:
        change(row)
        _tell_of_parked(session, row)


def _tell_of_parked(session: ScopedSession, row: JobRow) -> None:
    if row.state == State.PARKED:
        live.announce(session, row.organization_id, PARKED_TOPIC)
