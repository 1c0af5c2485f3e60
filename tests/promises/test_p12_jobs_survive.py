"""A job outlives the process that does it: it is done again, by whoever is there, and completed once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from blametrail.kit.job_tables import JobRow
from blametrail.kit.jobs import State, announce_job, job_counts
from tests.running import ROOT

JOBS = 30


@dataclass
class Processes:
    """Processes that do the jobs of one organization; see `tests/job_process.py`."""

    db: Database
    acme: UUID
    lines: Path
    log: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "tests.job_process", str(self.lines)]
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=dict(os.environ)))
        return self.running[-1]

    def announce(self, keys: list[str], seconds: float) -> None:
        for key in keys:
            self.db.write_now(self.acme, announce_job, "append", key, {"seconds": seconds})

    def begun(self, process: subprocess.Popen[bytes] | None = None) -> list[str]:
        """Keys of jobs in the order they were begun, by this process."""
        lines = [line.split() for line in self.lines.read_text().splitlines()] if self.lines.exists() else []
        return [key for key, pid in lines if process is None or int(pid) == process.pid]

    def completed(self) -> list[str]:
        return self.db.read_now(self.acme, lambda s: list(s.execute(text("SELECT key FROM completion")).scalars()))

    def wait_for(self, what: Callable[[], bool], seconds: float = 40) -> None:
        until = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < until, f"in vain\n{self.log.read_text()[-4000:]}"
            time.sleep(0.05)


@pytest.fixture
def processes(db: Database, tmp_path: Path) -> Iterator[Processes]:
    acme = Organization(name="Acme")
    db.write_now(EVERY_ORGANIZATION, lambda s: s.add(acme))
    db.write_now(EVERY_ORGANIZATION, lambda s: s.execute(text("CREATE TABLE completion (key VARCHAR)")))
    made = Processes(db, acme.id, tmp_path / "lines", tmp_path / "log")
    yield made
    for process in made.running:
        process.kill()
        process.wait()


def test_it_loses_no_job_when_one_of_two_processes_is_killed(processes: Processes) -> None:
    killed, _ = processes.start(), processes.start()
    keys = [f"job-{number}" for number in range(JOBS)]
    processes.announce(keys, seconds=0.3)
    processes.wait_for(lambda: len(processes.begun(killed)) >= 5)
    killed.kill()
    killed.wait()
    unfinished = set(processes.begun(killed)) - set(processes.completed())
    assert unfinished, "it was not killed in the middle of anything"

    processes.wait_for(lambda: len(processes.completed()) >= JOBS)
    processes.wait_for(lambda: processes.db.read_now(processes.acme, job_counts)[State.DONE] == JOBS)
    assert sorted(processes.completed()) == sorted(keys)
    times = Counter(processes.begun())
    assert set(times) == set(keys)
    assert {key for key, count in times.items() if count > 1} == unfinished


def test_it_does_again_after_a_restart_what_was_interrupted(processes: Processes) -> None:
    killed = processes.start()
    processes.announce(["job"], seconds=1)
    processes.wait_for(lambda: processes.begun() == ["job"])
    killed.kill()
    killed.wait()
    assert processes.completed() == []

    processes.start()
    processes.wait_for(lambda: processes.completed() == ["job"])
    assert processes.begun() == ["job", "job"]


def test_it_finishes_or_hands_back_at_sigterm(processes: Processes) -> None:
    stopped = processes.start()
    processes.announce(["short"], seconds=1)
    processes.announce(["long"], seconds=600)
    processes.wait_for(lambda: set(processes.begun()) == {"short", "long"})
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(20) == 0
    assert processes.completed() == ["short"]
    long = processes.db.read_now(processes.acme, lambda s: s.exec(select(JobRow).where(JobRow.key == "long")).one())
    assert (long.state, long.failures, long.claim) == (State.WAITING, 0, None)
    assert long.available_at is not None and long.available_at <= now()

    processes.start()
    processes.wait_for(lambda: processes.begun().count("long") == 2)
