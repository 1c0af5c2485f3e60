"""A process that does jobs as the server does: `python -m tests.job_process FILE`, with a server's settings.

It writes a line to FILE whenever it begins a job: the job's key and its own process id. Then it takes as many
seconds as the payload says, and finishes the job together with a row of the table `completion`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import uvloop
from sqlalchemy import text

import blametrail.accounts.tables  # a job belongs to an organization
from blametrail.kit.db import ScopedSession, database
from blametrail.kit.jobs import Job, Kind, Pace, finish_job, working
from blametrail.kit.live import hub
from blametrail.kit.logs import configure_logs

PACE = Pace(poll=0.2, lease=timedelta(seconds=2), grace=1.5)


async def serve(lines: Path) -> None:
    async def append(job: Job) -> None:
        with lines.open("a") as file:
            file.write(f"{job.key} {os.getpid()}\n")
        await asyncio.sleep(job.payload["seconds"])
        await database().write(job.organization_id, complete, job)

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with working(database(), hub(), {"append": Kind(append)}, PACE):
        await stopping.wait()
    database().close()


def complete(session: ScopedSession, job: Job) -> None:
    session.execute(text("INSERT INTO completion (key) VALUES (:key)"), {"key": job.key})
    finish_job(session, job)


if __name__ == "__main__":
    assert blametrail.accounts.tables
    configure_logs()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(Path(sys.argv[1])))
