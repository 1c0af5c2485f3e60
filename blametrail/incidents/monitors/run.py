"""The clock of monitors: claims what is due, checks it at its moment, and keeps what was found in batches."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlmodel import col, func, select

from blametrail.incidents.monitors.check import Result, Target, check
from blametrail.incidents.monitors.expected import Expected
from blametrail.incidents.monitors.spread import next_slot
from blametrail.incidents.monitors.store import settle, store_checks
from blametrail.incidents.monitors.tables import Monitor
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import Conflict, Unavailable
from blametrail.kit.keys import KeyRing
from blametrail.kit.schedule import ticking
from blametrail.kit.vault import VaultError, place_of, unseal

log = structlog.get_logger(__name__)
BEAT = timedelta(seconds=1)
AHEAD = timedelta(seconds=1.5)
"""How far ahead checks are claimed: longer than a beat, so that each starts at its moment and not at the next beat."""

MOST_AT_ONCE = 200
MOST_KEPT = 10_000
"""Results that wait while the database cannot take them."""

TELL_EVERY = 3.0
"""Seconds between two times that open pages are told of checks that changed nothing."""

SOON = timedelta(minutes=1)
"""A check that was missed is not made up for when the next one comes this soon: after a stop, all of them were missed."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A check that is this process's to do."""

    organization_id: UUID
    monitor_id: UUID
    due_at: datetime
    target: Target


class Watch:
    """The checks of this process. Nothing waits for a check, and no check for another."""

    def __init__(self, db: Database, keys: KeyRing) -> None:
        self._db, self._keys = db, keys
        self._checks: set[asyncio.Task[None]] = set()
        self._results: list[tuple[UUID, UUID, Result]] = []
        self._due: dict[UUID, UUID] = {}
        self._settling: asyncio.Task[None] | None = None
        self._told: dict[UUID, float] = {}

    async def beat(self) -> None:
        """Keep what was found since the last one, then claim what is due before the next but one."""
        try:
            await self._store()
            await self._claim()
        except Unavailable:
            pass  # it is in the log

    async def stop(self) -> None:
        """Leave what is being checked; keep what was found."""
        for task in self._checks:
            task.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        await self._store()
        if self._settling:
            self._settling.cancel()  # what is due stays due

    async def _claim(self) -> None:
        horizon = now() + AHEAD
        free = MOST_AT_ONCE - len(self._checks)
        first = await self._db.read(EVERY_ORGANIZATION, _first_due)
        if first is None or first > horizon or free <= 0:
            return
        for claimed in await self._db.write(EVERY_ORGANIZATION, claim, self._keys, horizon, free):
            task = asyncio.create_task(self._check(claimed))
            self._checks.add(task)
            task.add_done_callback(self._checks.discard)

    async def _check(self, claimed: Claimed) -> None:
        await asyncio.sleep((claimed.due_at - now()).total_seconds())
        try:
            result = await check(claimed.target)
        except Exception:
            log.exception("a monitor could not check", monitor=str(claimed.monitor_id))
        else:
            self._results.append((claimed.organization_id, claimed.monitor_id, result))

    async def _store(self) -> None:
        taken, self._results = self._results, []
        found: dict[UUID, list[tuple[UUID, Result]]] = defaultdict(list)
        for organization_id, monitor_id, result in taken:
            found[organization_id].append((monitor_id, result))
        for organization_id, results in found.items():
            is_told = time.monotonic() - self._told.get(organization_id, 0) >= TELL_EVERY
            try:
                due = await self._db.write(organization_id, store_checks, results, is_told=is_told)
            except Unavailable:
                self._results = [*((organization_id, *one) for one in results), *self._results][-MOST_KEPT:]
                continue
            except Conflict:  # an organization or a monitor that is being deleted
                log.warning("checks of monitors were not kept", checks=len(results))
                continue
            if is_told:
                self._told[organization_id] = time.monotonic()
            self._due |= dict.fromkeys(due, organization_id)
        if self._due and (self._settling is None or self._settling.done()):
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """One after another: an estimate takes a moment, and hundreds may fail together."""
        while self._due:
            monitor_id, organization_id = self._due.popitem()
            try:
                await settle(self._db, organization_id, monitor_id)
            except Unavailable:
                return  # the next check is due again
            except Exception:
                log.exception("a monitor could not be turned", monitor=str(monitor_id))


def claim(session: ScopedSession, keys: KeyRing, horizon: datetime, most: int) -> list[Claimed]:
    """Take the checks that fall before the horizon: each goes to one process, for its row says then when the next one is."""
    due = select(Monitor).where(col(Monitor.next_at) <= horizon).order_by(col(Monitor.next_at)).limit(most)
    claimed = []
    for row in session.exec(due.with_for_update(skip_locked=True)):
        assert row.next_at is not None
        due_at, interval = row.next_at, timedelta(seconds=row.interval_seconds)
        row.next_at = next_slot(row.id, interval, max(due_at, now()))
        if now() - due_at > AHEAD and row.next_at - now() < SOON:
            continue
        try:
            claimed.append(Claimed(row.organization_id, row.id, due_at, _target(keys, row)))
        except VaultError as error:
            row.reason = f"It cannot check: its headers are {error}."
    return claimed


def _target(keys: KeyRing, row: Monitor) -> Target:
    """What to ask, with the headers open; raises VaultError."""
    headers = json.loads(unseal(keys, place_of(row, "headers_sealed"), row.headers_sealed)) if row.headers_sealed else {}
    return Target(
        method=row.method,
        url=row.url,
        expected=Expected.from_text(row.expected_status),
        body_text=row.body_text,
        timeout_seconds=row.timeout_seconds,
        latency_ms=row.latency_ms,
        headers=headers,
    )


def _first_due(session: ScopedSession) -> datetime | None:
    return session.exec(select(func.min(Monitor.next_at))).one()


@asynccontextmanager
async def checking(db: Database, keys: KeyRing, beat: timedelta = BEAT) -> AsyncIterator[Watch]:
    """Check monitors for the duration of a block."""
    watch = Watch(db, keys)
    try:
        async with ticking([(beat, watch.beat)]):
            yield watch
    finally:
        await watch.stop()
