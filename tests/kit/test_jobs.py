"""Jobs are done at least once after the transaction that announced them, and what fails for good waits for a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, insert, update
from sqlmodel import col, select

from blametrail.accounts.tables import Organization
from blametrail.kit import jobs
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import NotFound, Unavailable
from blametrail.kit.job_tables import JobRow, claim_jobs, release_jobs, settle_job
from blametrail.kit.jobs import GiveUp, Job, Kind, Later, LeaseLost, Pace, State, announce_job, job_counts, parked_jobs, working
from blametrail.migrations import migrate
from blametrail.settings import settings
from tests.running import database_settings, drop_database

PACE = Pace(poll=0.05, waits=(0.02, 0.02, 0.02), grace=0.2)
NEVER_POLLS = replace(PACE, poll=600)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all tests here: making one takes longer than most of them."""
    made = database_settings()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BLAMETRAIL_DATA_DIR": str(tmp_path_factory.mktemp("jobs")), **made}.items():
            patch.setenv(name, value)
        settings.cache_clear()
        migrate()
        database = Database(settings().sqlalchemy_url)
        yield database
        database.close()
    settings.cache_clear()
    drop_database(made)


@pytest.fixture
def db(migrated: Database) -> Database:
    """A database without jobs."""
    migrated.write_now(EVERY_ORGANIZATION, lambda s: s.execute(delete(JobRow)))
    return migrated


@pytest.fixture
def acme(db: Database) -> UUID:
    return organization(db, "Acme")


def organization(db: Database, name: str) -> UUID:
    def add(session: ScopedSession) -> UUID:
        session.add(made := Organization(name=name))
        session.flush()
        return made.id

    return db.write_now(EVERY_ORGANIZATION, add)


def row(db: Database, key: str = "key") -> JobRow:
    """The newest job of a key, whoever's it is."""
    wanted = select(JobRow).where(JobRow.key == key).order_by(col(JobRow.announced_at).desc())
    return db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(wanted).first()) or pytest.fail(f"there is no job {key}")


def count(db: Database, acme: UUID) -> dict[str, int]:
    """How many jobs there are in each state that has any."""
    return {state.value: found for state, found in db.read_now(acme, job_counts).items() if found}


def claim(db: Database, *, lease: timedelta = PACE.lease, free: int = 1, most: int = 9, kinds: str = "work") -> list[Job]:
    """Claim as a worker does that has nothing yet."""
    return db.write_now(
        EVERY_ORGANIZATION,
        claim_jobs,
        [kinds],
        free=free,
        busy=[],
        most=most,
        after=UUID(int=0),
        lease=lease,
        waits=PACE.waits,
    )


async def until(what: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "in vain"
        await asyncio.sleep(0.01)


class Work:
    """A handler that remembers what it was called with, and does what the test says."""

    def __init__(self, *does: Callable[[Job], Any]) -> None:
        self.seen: list[Job] = []
        self._does = list(does)

    async def __call__(self, job: Job) -> None:
        self.seen.append(job)
        does = self._does.pop(0) if self._does else None
        if does is not None and asyncio.iscoroutine(result := does(job)):
            await result

    def doing(self, db: Database, pace: Pace = PACE, limit: timedelta = timedelta(minutes=1)) -> Any:
        return working(db, db._hub, {"work": Kind(self, limit)}, pace)

    @property
    def keys(self) -> list[str]:
        return [job.key for job in self.seen]


def fail(error: Exception) -> Callable[[Job], None]:
    def raise_it(_job: Job) -> None:
        raise error

    return raise_it


def test_it_leaves_nothing_of_a_transaction_that_failed(db: Database, acme: UUID) -> None:
    def announce_and_fail(session: ScopedSession) -> None:
        announce_job(session, "work", "key")
        raise ValueError

    with pytest.raises(ValueError):
        db.write_now(acme, announce_and_fail)
    assert count(db, acme) == {}


def test_it_announces_in_one_organization_only_and_no_novels(db: Database, acme: UUID) -> None:
    with pytest.raises(PermissionError):
        db.write_now(EVERY_ORGANIZATION, announce_job, "work", "key")
    with pytest.raises(ValueError):
        db.write_now(acme, announce_job, "work", "key", {"text": "x" * 5_000})
    assert count(db, acme) == {}


async def test_it_does_at_once_what_this_process_announces(db: Database, acme: UUID) -> None:
    work = Work()
    async with work.doing(db, NEVER_POLLS):
        await asyncio.sleep(0.1)  # it looks once when it starts
        await db.write(acme, announce_job, "work", "key", {"id": 7})
        await until(lambda: count(db, acme) == {"done": 1})
    assert [(job.organization_id, job.key, job.payload, job.failures) for job in work.seen] == [(acme, "key", {"id": 7}, 0)]


async def test_it_finds_what_another_process_announced(db: Database, acme: UUID) -> None:
    other, work = Database(str(db.url)), Work()
    async with work.doing(db):
        other.write_now(acme, announce_job, "work", "key")
        await until(lambda: count(db, acme) == {"done": 1})
    other.close()


async def test_it_leaves_kinds_it_does_not_know(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "of tomorrow", "key")
    db.write_now(acme, announce_job, "work", "key")
    async with Work().doing(db):
        await until(lambda: count(db, acme) == {"done": 1, "waiting": 1})


async def test_it_makes_one_job_of_one_key(db: Database, acme: UUID) -> None:
    other = organization(db, "Other")
    for organization_id, payload in ((acme, {"n": 1}), (acme, {"n": 2}), (other, {"n": 3})):
        db.write_now(organization_id, announce_job, "work", "key", payload)
    work = Work()
    async with work.doing(db):
        await until(lambda: count(db, acme) == count(db, other) == {"done": 1})
        assert sorted(job.payload["n"] for job in work.seen) == [2, 3]
        await db.write(acme, announce_job, "work", "key", {"n": 4})
        await until(lambda: count(db, acme) == {"done": 2})
    assert work.seen[-1].payload == {"n": 4} and work.seen[-1].id != work.seen[0].id


async def test_it_runs_once_more_what_is_announced_while_it_runs(db: Database, acme: UUID) -> None:
    release = asyncio.Event()
    work = Work(lambda _job: release.wait())
    async with work.doing(db):
        await db.write(acme, announce_job, "work", "key", {"n": 1})
        await until(lambda: work.seen)
        for n in (2, 3):
            await db.write(acme, announce_job, "work", "key", {"n": n})
        await asyncio.sleep(0.2)
        assert len(work.seen) == 1
        release.set()
        await until(lambda: count(db, acme) == {"done": 1})
    assert [job.payload["n"] for job in work.seen] == [1, 3]


async def test_it_waits_as_it_is_told_and_no_longer(db: Database, acme: UUID) -> None:
    work = Work()
    for minutes in (60, 30, 45):
        db.write_now(acme, announce_job, "work", "key", not_before=now() + timedelta(minutes=minutes))
    due = row(db).available_at
    assert due and timedelta(minutes=29) < due - now() < timedelta(minutes=31)
    async with work.doing(db):
        await asyncio.sleep(0.2)
        assert not work.seen
        await db.write(acme, announce_job, "work", "key")
        await until(lambda: count(db, acme) == {"done": 1})


async def test_it_begins_a_later_job_in_time(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key", not_before=now() + timedelta(seconds=0.3))
    started = time.monotonic()
    async with Work().doing(db, replace(PACE, poll=5)):
        await until(lambda: count(db, acme) == {"done": 1})
    assert time.monotonic() - started > 0.2


async def test_it_does_the_more_urgent_first(db: Database, acme: UUID) -> None:
    for key, priority in (("b", 0), ("c", 5), ("a", -1)):
        db.write_now(acme, announce_job, "work", key, priority=priority)
    work = Work()
    async with work.doing(db, replace(PACE, slots=1)):
        await until(lambda: count(db, acme) == {"done": 3})
    assert work.keys == ["a", "b", "c"]


def test_it_gives_every_organization_its_turn(db: Database, acme: UUID) -> None:
    def flood(session: ScopedSession) -> None:
        common = {"kind": "work", "payload": "{}", "priority": -1, "state": "waiting", "failures": 0, "reason": ""}
        times = {"announced_at": now(), "available_at": now()}
        rows = [{"id": uuid4(), "organization_id": acme, "key": str(n), **common, **times} for n in range(10_000)]
        session.execute(insert(JobRow), rows)

    db.write_now(acme, flood)
    others = [organization(db, name) for name in ("B", "C")]
    for other in others:
        db.write_now(other, announce_job, "work", "key")
    assert {job.organization_id for job in claim(db, free=3)} == {acme, *others}
    assert len(claim(db, free=50, most=50)) == 50


async def test_it_keeps_a_slot_from_an_organization_of_slow_jobs(db: Database, acme: UUID) -> None:
    other, never = organization(db, "Other"), asyncio.Event()
    work = Work(*[lambda job: never.wait() if job.organization_id == acme else None] * 20)
    for n in range(10):
        db.write_now(acme, announce_job, "work", str(n))
    async with work.doing(db):
        await until(lambda: len(work.seen) == 3)
        await db.write(other, announce_job, "work", "key")
        await until(lambda: count(db, other) == {"done": 1})
        assert count(db, acme) == {"waiting": 7, "running": 3}


async def test_it_calls_later_what_says_so(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    work = Work(*[fail(Later(0.02, "rate limited"))] * 8)
    async with work.doing(db):
        await until(lambda: count(db, acme) == {"done": 1})
    assert [job.failures for job in work.seen] == [0] * 9
    assert row(db).reason == ""


async def test_it_says_why_a_job_waits(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    async with Work(fail(Later(3_600, "GitHub wants us to wait"))).doing(db):
        await until(lambda: row(db).reason)
    assert (row(db).state, row(db).failures, row(db).reason) == (State.WAITING, 0, "GitHub wants us to wait")
    db.write_now(acme, announce_job, "work", "key")
    due = row(db).available_at
    assert due and due > now() + timedelta(minutes=50), "a new announcement must not cut the wait short"


async def test_it_parks_what_gives_up(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    async with Work(fail(GiveUp("the repository is gone"))).doing(db):
        await until(lambda: count(db, acme) == {"parked": 1})
    (parked,) = db.read_now(acme, parked_jobs)
    assert (parked.kind, parked.key, parked.reason, parked.failures) == ("work", "key", "the repository is gone", 0)


async def test_it_parks_poison_and_does_the_others(db: Database, acme: UUID) -> None:
    async def work(job: Job) -> None:
        tries.append(job.key)
        if job.key == "bad" and not is_mended:
            raise RuntimeError(f"no \0 such \udcff token: ghp_{'a' * 36}")

    tries: list[str] = []
    is_mended = False
    for n in range(99):
        db.write_now(acme, announce_job, "work", str(n))
    db.write_now(acme, announce_job, "work", "bad", priority=-1)
    async with working(db, db._hub, {"work": Kind(work)}, PACE):
        await until(lambda: count(db, acme) == {"done": 99, "parked": 1})
        assert tries.count("bad") == 1 + len(PACE.waits)
        (parked,) = db.read_now(acme, parked_jobs)
        assert parked.reason.startswith("RuntimeError: no ") and "ghp_" not in parked.reason
        assert "Traceback" not in parked.reason

        # Announced anew, it gets one more try; told by a person, all of them.
        await db.write(acme, announce_job, "work", "bad")
        await until(lambda: tries.count("bad") == 5 and count(db, acme) == {"done": 99, "parked": 1})
        await db.write(acme, jobs.retry_job, UUID(parked.id))
        await until(lambda: tries.count("bad") == 9 and count(db, acme) == {"done": 99, "parked": 1})
        is_mended = True
        await db.write(acme, jobs.retry_job, UUID(parked.id))
        await until(lambda: count(db, acme) == {"done": 100})


def test_it_waits_longer_each_time() -> None:
    failing = JobRow(
        kind="work", key="key", payload="{}", priority=0, state="running", failures=0, reason="", announced_at=now()
    )
    waited = []
    for _ in Pace().waits:
        failing.fail("broken", Pace().waits)
        assert failing.available_at
        waited.append((failing.available_at - now()).total_seconds())
    for seconds, wait in zip(waited, (10, 60, 300, 1_800, 7_200), strict=True):
        assert 0.79 * wait < seconds < 1.21 * wait
    failing.fail("broken", Pace().waits)
    assert (failing.state, failing.failures, failing.available_at) == (State.PARKED, 6, None)


async def test_it_drops_a_parked_job_of_this_organization_only(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    async with Work(fail(GiveUp("no"))).doing(db):
        await until(lambda: count(db, acme) == {"parked": 1})
    other, parked_id = organization(db, "Other"), row(db).id
    assert db.read_now(other, parked_jobs) == []
    for change in (jobs.drop_job, jobs.retry_job):
        with pytest.raises(NotFound):
            db.write_now(other, change, parked_id)
    db.write_now(acme, jobs.drop_job, parked_id)
    assert count(db, acme) == {}
    with pytest.raises(NotFound):
        db.write_now(acme, jobs.drop_job, parked_id)


async def test_it_ends_a_try_that_takes_too_long(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    work = Work(lambda _job: asyncio.sleep(600))
    async with work.doing(db, replace(PACE, waits=(600,)), limit=timedelta(seconds=0.1)):
        await until(lambda: row(db).failures == 1)
    assert row(db).state == State.WAITING and row(db).reason == "It took longer than 0:00:00.100000."


async def test_it_holds_a_job_for_as_long_as_it_runs(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    first, second = Work(lambda _job: asyncio.sleep(3)), Work()
    pace = replace(PACE, lease=timedelta(seconds=1.5))
    async with first.doing(db, pace), second.doing(db, pace):
        await until(lambda: count(db, acme) == {"done": 1})
    assert len(first.seen + second.seen) == 1 and row(db).failures == 0


async def test_it_keeps_nothing_of_a_try_that_lost_its_lease(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    (loser,) = claim(db, lease=timedelta(0))
    (winner,) = claim(db)
    assert (loser.id, loser.failures, winner.failures) == (winner.id, 0, 1) and loser.claim != winner.claim

    def store_result(session: ScopedSession, job: Job) -> None:
        announce_job(session, "result of", str(job.failures))
        jobs.finish_job(session, job)

    with pytest.raises(LeaseLost):
        db.write_now(acme, store_result, loser)
    assert count(db, acme) == {"running": 1}
    db.write_now(acme, store_result, winner)
    assert count(db, acme) == {"done": 1, "waiting": 1}
    with pytest.raises(LeaseLost):
        db.write_now(acme, store_result, loser)


async def test_it_lets_nobody_finish_what_was_handed_back(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    (job,) = claim(db)
    db.write_now(EVERY_ORGANIZATION, release_jobs, [job])
    with pytest.raises(LeaseLost):
        db.write_now(acme, jobs.finish_job, job)
    assert count(db, acme) == {"waiting": 1}


async def test_it_finishes_with_its_result_and_runs_again_if_announced(db: Database, acme: UUID) -> None:
    async def finish(job: Job) -> None:
        if job.payload["n"] == 1:
            await db.write(acme, announce_job, "work", "key", {"n": 2})
        await db.write(acme, jobs.finish_job, job)
        seen.append(job.payload["n"])
        raise RuntimeError("too late to fail")

    seen: list[int] = []
    db.write_now(acme, announce_job, "work", "key", {"n": 1})
    async with working(db, db._hub, {"work": Kind(finish)}, PACE):
        await until(lambda: count(db, acme) == {"done": 1} and len(seen) == 2)
    assert seen == [1, 2] and row(db).failures == 0


async def test_it_stops_what_lost_its_lease(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    is_stopped = asyncio.Event()

    async def hang(_job: Job) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            is_stopped.set()

    work = Work(hang)
    async with work.doing(db, replace(PACE, lease=timedelta(seconds=2))):
        await until(lambda: work.seen)
        await db.write(EVERY_ORGANIZATION, lambda s: s.execute(update(JobRow).values(claim=uuid4())))
        await asyncio.wait_for(is_stopped.wait(), 20)
        assert row(db).state == State.RUNNING, "it is not the loser's to change"


async def test_it_stops_what_runs_when_the_database_is_gone_for_too_long(
    db: Database, acme: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_to_write(*_: object, **__: object) -> None:
        raise Unavailable("gone")

    db.write_now(acme, announce_job, "work", "key")
    is_stopped = asyncio.Event()

    async def hang(_job: Job) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            is_stopped.set()

    work = Work(hang)
    async with work.doing(db, replace(PACE, lease=timedelta(seconds=1))):
        await until(lambda: work.seen)
        with monkeypatch.context() as patch:
            patch.setattr(db, "write", fail_to_write)
            await asyncio.wait_for(is_stopped.wait(), 20)
        await until(lambda: count(db, acme) == {"done": 1})
    assert [job.failures for job in work.seen] == [0, 1]


async def test_it_writes_the_outcome_when_the_database_is_back(
    db: Database, acme: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0
    write = db.write

    async def fail_once(scope: Any, change: Any, *more: Any, **options: Any) -> Any:
        nonlocal failures
        if change is settle_job and failures == 0:
            failures += 1
            raise Unavailable("a moment")
        return await write(scope, change, *more, **options)

    monkeypatch.setattr(db, "write", fail_once)
    db.write_now(acme, announce_job, "work", "key")
    work = Work()
    async with work.doing(db):
        await until(lambda: count(db, acme) == {"done": 1})
    assert failures == 1 and len(work.seen) == 1


def test_it_parks_what_ends_its_process_each_time(db: Database, acme: UUID) -> None:
    db.write_now(acme, announce_job, "work", "key")
    for failures in range(1 + len(PACE.waits)):
        (job,) = claim(db, lease=timedelta(0))
        assert job.failures == failures
    assert claim(db) == []
    (parked,) = db.read_now(acme, parked_jobs)
    assert "ended" in parked.reason


async def test_it_hands_back_what_it_cannot_finish(db: Database, acme: UUID) -> None:
    is_stopping = asyncio.Event()
    for key in ("quick", "slow"):
        db.write_now(acme, announce_job, "work", key)
    work = Work(*[lambda job: is_stopping.wait() if job.key == "quick" else asyncio.sleep(600)] * 2)
    async with work.doing(db, replace(PACE, grace=1)) as worker:
        await until(lambda: len(work.seen) == 2)
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0.1)
        await db.write(acme, announce_job, "work", "new")
        is_stopping.set()
        await stopping
    assert (row(db, "quick").state, row(db, "slow").state, row(db, "new").state) == ("done", "waiting", "waiting")
    assert {job.key for job in claim(db, free=5)} == {"slow", "new"}


def test_it_forgets_what_was_done_long_ago(db: Database, acme: UUID) -> None:
    def set_finished(session: ScopedSession, key: str, finished_at: datetime) -> None:
        session.execute(update(JobRow).where(col(JobRow.key) == key).values(state="done", finished_at=finished_at))

    for key, age in (("old", timedelta(hours=25)), ("young", timedelta(hours=23))):
        db.write_now(acme, announce_job, "work", key)
        db.write_now(acme, set_finished, key, now() - age)
    db.write_now(acme, announce_job, "work", "undone")
    assert db.write_now(EVERY_ORGANIZATION, jobs.forget_finished_jobs) == 1
    assert set(db.read_now(acme, lambda s: s.exec(select(JobRow.key)).all())) == {"young", "undone"}


def test_it_loses_no_announcement_to_a_crowd(db: Database, acme: UUID) -> None:
    """Many threads announce one key while it is claimed and finished: none is refused, and it runs after the last."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(db.write_now, acme, announce_job, "work", "key", {"n": n}) for n in range(200)]
        while not all(each.done() for each in asked):
            for job in claim(db):
                db.write_now(acme, jobs.finish_job, job)
    assert [each.result() for each in asked] == [None] * 200
    for job in claim(db):
        db.write_now(acme, jobs.finish_job, job)
    assert set(count(db, acme)) == {"done"}
    assert db.read_now(acme, lambda s: s.exec(select(func.count()).where(col(JobRow.again_at).is_not(None))).one()) == 0
