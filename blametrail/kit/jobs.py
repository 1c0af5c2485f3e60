"""Background jobs: announced in the transaction that causes them, done at least once after it.

A feature announces a job; the application says how each kind is done; each server process has a worker.
A worker claims a job for as long as its lease lasts and renews that while it runs. If its process dies,
the lease runs out and any worker takes the job. Handlers therefore meet jobs again: what they do outside
carries the job's id, and what they do here they finish with the job, by `finish_job`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import and_, case, delete, func, or_, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from blametrail.kit import live
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, Prepared, ScopedSession
from blametrail.kit.errors import BlameTrailError, NotFound, Unavailable
from blametrail.kit.job_tables import (
    JOBS_TOPIC,
    PARKED_TOPIC,
    UNFINISHED,
    Job,
    JobRow,
    LeaseLost,
    State,
    claim_jobs,
    first_available_at,
    release_jobs,
    renew_leases,
    settle_job,
)
from blametrail.kit.redact import redact

log = structlog.get_logger(__name__)
LARGEST_KEY, LARGEST_PAYLOAD = 500, 4_000  # characters
REASON_CHARACTERS = 500
KEPT = timedelta(days=1)


class Later(Exception):
    """Raised by a handler to be called again in so many seconds; not a failure, however often."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds


class GiveUp(Exception):
    """Raised by a handler when trying again is no use: the job is parked at once."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of a kind are done. A try that takes longer than `limit` is cancelled and has failed."""

    run: Callable[[Job], Awaitable[None]]
    limit: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pace:
    """`slots` jobs at a time; a look every `poll` seconds; `waits` are the seconds before each further try;
    at the end, running jobs have `grace` seconds."""

    slots: int = 4
    poll: float = 3.0
    lease: timedelta = timedelta(seconds=60)
    waits: Sequence[float] = (10, 60, 300, 1_800, 7_200)
    grace: float = 4.0


USUAL_PACE = Pace()


@dataclass(frozen=True, slots=True)
class ParkedJob:
    """A job that waits for a person; `reason` has no secrets."""

    id: str
    kind: str
    key: str
    reason: str
    failures: int
    announced_at: datetime
    tried_at: datetime | None


def _announcement() -> Prepared:
    """Insert a job; or if it is there unfinished, give it the newer payload and a run after this transaction."""
    new = insert(JobRow)
    available_at, again_at, state = col(JobRow.available_at), col(JobRow.again_at), col(JobRow.state)
    given = new.excluded.available_at
    # The wait before another try stands, or a job that fails and is announced often would be tried as often.
    is_untried = and_(state == State.WAITING.value, col(JobRow.started_at).is_(None))
    is_sooner = and_(state == State.RUNNING.value, or_(again_at.is_(None), given < again_at))
    return Prepared(
        new.on_conflict_do_update(
            index_elements=["organization_id", "kind", "key"],
            index_where=text(UNFINISHED),
            set_={
                "payload": new.excluded.payload,
                "priority": case((new.excluded.priority < JobRow.priority, new.excluded.priority), else_=JobRow.priority),
                "state": case((state == State.PARKED.value, State.WAITING.value), else_=state),
                "available_at": case(
                    (state == State.PARKED.value, given), (and_(is_untried, given < available_at), given), else_=available_at
                ),
                "again_at": case((is_sooner, given), else_=again_at),
            },
        )
    )


_ANNOUNCE = _announcement()


def announce_job(
    session: ScopedSession,
    kind: str,
    key: str,
    payload: Mapping[str, Any] | None = None,
    *,
    not_before: datetime | None = None,
    priority: int = 0,
) -> None:
    """Have a job done once this transaction is committed, as part of it: one insert, in one organization.

    Until it is done, a job of the same kind and key is the same job, and the newest payload stands. If it runs
    already, it runs once more; if it is parked, it gets one more try. The payload is small JSON such as ids, and
    holds no secret; raises ValueError when that or the key is too long. Of an organization's jobs, those with a
    smaller `priority` go first."""
    written = json.dumps(payload or {}, separators=(",", ":"))
    if len(key) > LARGEST_KEY or len(written) > LARGEST_PAYLOAD:
        raise ValueError(f"the key or the payload of a job {kind} is too long")
    moment = now()
    session.run(
        _ANNOUNCE,
        id=uuid4(),
        kind=kind,
        key=key,
        payload=written,
        priority=priority,
        state=State.WAITING.value,
        failures=0,
        reason="",
        claim=None,
        announced_at=moment,
        started_at=None,
        finished_at=None,
        available_at=not_before or moment,
        again_at=None,
    )
    if not_before is None or not_before <= moment:
        session.announce(JOBS_TOPIC)


def finish_job(session: ScopedSession, job: Job) -> None:
    """Finish a job in the transaction that stores its result, so that both happen once or neither does. Raises
    LeaseLost when this try no longer holds the job; let it undo the transaction. Handlers need not call it."""
    settle_job(session, job, JobRow.finish)


def parked_jobs(session: ScopedSession, limit: int = 100) -> list[ParkedJob]:
    """Jobs that wait for a person, those tried last first."""
    # Parked ones are unfinished, which needs saying for the sake of the index.
    parked = select(JobRow).where(col(JobRow.state) == State.PARKED, col(JobRow.finished_at).is_(None))
    rows = session.exec(parked.order_by(col(JobRow.started_at).desc()).limit(limit))
    return [ParkedJob(str(r.id), r.kind, r.key, r.reason, r.failures, r.announced_at, r.started_at) for r in rows]


def retry_job(session: ScopedSession, job_id: UUID) -> None:
    """Let a parked job be tried anew, with all its tries; raises NotFound."""
    row = _parked(session, job_id)
    row.failures = 0
    row.wait(0, row.reason)
    session.announce(JOBS_TOPIC)
    session.announce(PARKED_TOPIC)


def drop_job(session: ScopedSession, job_id: UUID) -> None:
    """Forget a parked job; raises NotFound."""
    session.delete(_parked(session, job_id))
    session.announce(PARKED_TOPIC)


def _parked(session: ScopedSession, job_id: UUID) -> JobRow:
    wanted = select(JobRow).where(col(JobRow.id) == job_id, col(JobRow.state) == State.PARKED)
    row = session.exec(wanted.with_for_update()).first()
    if row is None:
        raise NotFound("This job is not parked any more; somebody may have retried or dropped it.")
    return row


def job_counts(session: ScopedSession) -> dict[State, int]:
    """How many jobs there are in each state; those done are counted for a day."""
    counted = session.exec(select(JobRow.state, func.count()).group_by(JobRow.state)).all()
    return dict.fromkeys(State, 0) | {State(state): count for state, count in counted}


def forget_finished_jobs(session: ScopedSession) -> int:
    """Drop jobs that were done a day ago; answers how many."""
    result = session.exec(delete(JobRow).where(col(JobRow.finished_at) < now() - KEPT))
    return int(result.rowcount)


@dataclass(slots=True)
class _Running:
    job: Job
    until: float  # by the loop's clock, which nobody sets: the lease surely lasts until then


class Worker:
    """Does the jobs of this process, a few at a time; the kinds it does not know are left to others."""

    def __init__(self, db: Database, hub: live.Hub, kinds: Mapping[str, Kind], pace: Pace = USUAL_PACE) -> None:
        self._db, self._kinds, self._pace = db, kinds, pace
        self._names = sorted(kinds)
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[None], _Running] = {}
        self._last = UUID(int=0)  # the organization whose turn it was
        self._wake, self._is_stopping = asyncio.Event(), False
        hub.listen(self._hear)
        self._claiming = asyncio.create_task(self._claim_forever())
        self._keeping = asyncio.create_task(self._keep_leases())

    async def stop(self) -> None:
        """Claim no more, wait a few seconds for what runs, hand back the rest."""
        self._is_stopping = True
        self._wake.set()
        await asyncio.wait([self._claiming], timeout=1)
        if self._running:
            await asyncio.wait(self._running, timeout=self._pace.grace)
        rest = dict(self._running)
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=1)
            with suppress(Unavailable):  # then their leases run out
                await self._db.write(EVERY_ORGANIZATION, release_jobs, [each.job for each in rest.values()])
        self._keeping.cancel()

    def _hear(self, told: Sequence[live.Announcement]) -> None:
        if not self._is_stopping and any(each.topic == JOBS_TOPIC for each in told):
            self._loop.call_soon_threadsafe(self._wake.set)

    async def _claim_forever(self) -> None:
        while not self._is_stopping:
            self._wake.clear()
            pause = self._pace.poll
            try:
                pause = await self._claim()
            except Unavailable:
                pass  # it is in the log
            except Exception:
                log.exception("jobs could not be claimed")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def _claim(self) -> float:
        """Start what is due; answers after how many seconds to look again, unless something happens."""
        free = self._pace.slots - len(self._running)
        if not free:
            return self._pace.poll
        first = await self._db.read(EVERY_ORGANIZATION, first_available_at, self._names)
        if first is None or (ahead := (first - now()).total_seconds()) > 0:
            return self._pace.poll if first is None else min(ahead, self._pace.poll)
        since = self._loop.time()
        jobs = await self._db.write(
            EVERY_ORGANIZATION,
            claim_jobs,
            self._names,
            free=free,
            busy=[each.job.organization_id for each in self._running.values()],
            most=max(1, self._pace.slots - 1),  # one slot stays for another organization, however slow the jobs of one are
            after=self._last,
            lease=self._pace.lease,
            waits=self._pace.waits,
        )
        for job in jobs:
            self._last = job.organization_id
            self._start(job, since)
        return 0 if jobs else self._pace.poll

    def _start(self, job: Job, since: float) -> None:
        task = asyncio.create_task(self._run(job))
        self._running[task] = _Running(job, since + self._pace.lease.total_seconds())
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        ended = self._running.pop(task)
        if not task.cancelled() and task.exception():
            log.error("a job could not be settled", kind=ended.job.kind, key=ended.job.key, exc_info=task.exception())
        self._wake.set()

    async def _run(self, job: Job) -> None:
        structlog.contextvars.bind_contextvars(job=str(job.id), kind=job.kind, key=job.key)
        outcome = await self._try(job)
        while True:  # until it is written, or the lease is lost and this is cancelled: else it would run again
            try:
                await self._db.write(job.organization_id, settle_job, job, outcome)
                return
            except LeaseLost:
                log.warning("a job ended without its lease: nothing is kept of this try")
                return
            except Unavailable:
                await asyncio.sleep(1)

    async def _try(self, job: Job) -> Callable[[JobRow], None]:
        """Call the handler; answers what is to become of the row."""
        kind = self._kinds[job.kind]
        limit = asyncio.timeout(kind.limit.total_seconds())
        try:
            async with limit:
                await kind.run(job)
            return JobRow.finish
        except Later as later:
            seconds, why = later.seconds, _in_words(later)
            return lambda row: row.wait(seconds, why)
        except GiveUp as refusal:
            why = _in_words(refusal)
            return lambda row: row.park(why)
        except Exception as error:
            log.exception("a job failed", failures=job.failures + 1)
            why = f"It took longer than {kind.limit}." if limit.expired() else _in_words(error)
            return lambda row: row.fail(why, self._pace.waits)

    async def _keep_leases(self) -> None:
        """Renew leases in time, and end what loses its lease: somebody else may be doing it."""
        lease = self._pace.lease.total_seconds()
        beat = lease / 10
        while True:
            await asyncio.sleep(beat)
            held, since = dict(self._running), self._loop.time()
            kept = await self._renewed([each.job for each in held.values()], beat)
            for task, running in held.items():
                if kept is not None:
                    running.until = since + lease if running.job.claim in kept else 0
                if running.until <= self._loop.time() + 2 * beat and task.cancel():
                    log.warning("a job was stopped, for its lease was lost", kind=running.job.kind, key=running.job.key)

    async def _renewed(self, jobs: list[Job], seconds: float) -> set[UUID] | None:
        """The claims that stand; None when the database does not say so in time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._db.write(EVERY_ORGANIZATION, renew_leases, jobs, self._pace.lease) if jobs else set()
        except Exception as error:
            log.warning("leases of jobs were not renewed", error=repr(error))
            return None


def _in_words(error: Exception) -> str:
    """An error for people: no trace, no secret, and text that any database keeps."""
    is_worded = isinstance(error, BlameTrailError | Later | GiveUp)
    words = redact(str(error) if is_worded else f"{type(error).__name__}: {error}")
    return words.encode(errors="replace").decode().replace("\0", "")[:REASON_CHARACTERS]


@asynccontextmanager
async def working(db: Database, hub: live.Hub, kinds: Mapping[str, Kind], pace: Pace = USUAL_PACE) -> AsyncIterator[Worker]:
    """Do jobs for the duration of a block."""
    worker = Worker(db, hub, kinds, pace)
    try:
        yield worker
    finally:
        await worker.stop()


__all__ = ["GiveUp", "Job", "Kind", "Later", "LeaseLost", "Pace", "State", "Worker", "announce_job", "finish_job", "working"]
