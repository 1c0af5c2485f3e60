"""The clock of the process: runs periodic work in the background."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

Periodic = tuple[timedelta, Callable[[], Awaitable[object]]]


@asynccontextmanager
async def ticking(work: Sequence[Periodic]) -> AsyncIterator[None]:
    """Run each piece every so often, never twice at once, for the duration of a block. What runs less often than a minute
    does not run in all processes in the same instant; what runs more often keeps its beat."""
    scheduler = AsyncIOScheduler(timezone="UTC")
    for every, run in work:
        scheduler.add_job(
            run,
            "interval",
            seconds=every.total_seconds(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            jitter=30 if every >= timedelta(minutes=1) else None,
        )
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
