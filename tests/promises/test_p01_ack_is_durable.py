"""P01: an accepting answer means committed; SIGKILL at any time loses nothing that was acknowledged."""

from __future__ import annotations

import itertools
import random
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from blametrail.deploys.tables import Deploy
from blametrail.kit.db import EVERY_ORGANIZATION, Database, select
from blametrail.settings import Settings
from tests.running import Server, running

KILLS = 20
WRITERS = 8


class Writers:
    """Clients that post one number after the other, each until it is acknowledged."""

    def __init__(self, server: Server, token: str) -> None:
        self.acknowledged: dict[int, str] = {}
        self.cut_off = 0
        self._url, self._token = f"{server.url}/api/ingest/deploy", token
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._threads = ThreadPoolExecutor(WRITERS)
        self._running = [self._threads.submit(self._write) for _ in range(WRITERS)]

    def stop(self) -> None:
        """Let each writer get its last number acknowledged; fails if a writer failed."""
        self._stopping.set()
        for one in self._running:
            one.result(30)
        self._threads.shutdown()

    def _write(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stopping.is_set():
                number = next(self._numbers)
                self.acknowledged[number] = self._post(client, number)

    def _post(self, client: httpx.Client, number: int) -> str:
        headers = {"X-Deploy-Token": self._token, "X-Idempotency-Key": f"number-{number}"}
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                answer = client.post(self._url, json={"commit_sha": f"{number:07}"}, headers=headers)
            except httpx.ConnectError:
                time.sleep(0.02)
            except httpx.TransportError:
                self.cut_off += 1
            else:
                if answer.status_code == 200:
                    return str(answer.json()["deploy_id"])
                assert answer.status_code == 503, answer.text
        raise AssertionError(f"number {number} was not acknowledged within a minute")


@pytest.mark.slow
def test_it_keeps_every_acknowledged_deploy_when_killed(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        writers = Writers(server, server.service("Shop")["deploy_token"])
        for _ in range(KILLS):
            time.sleep(random.uniform(0.02, 0.6))
            server.kill()
            server.start()
        writers.stop()
        kept = _stored(server)
    assert writers.cut_off > 0, "no request was under way at any kill"
    assert len(writers.acknowledged) > KILLS * WRITERS
    assert {number: kept[f"{number:07}"] for number in writers.acknowledged} == {
        number: [deploy_id] for number, deploy_id in writers.acknowledged.items()
    }
    assert Counter(len(ids) for ids in kept.values()).keys() == {1}
    if "BLAMETRAIL_DATABASE_URL" not in server.settings:
        with closing(sqlite3.connect(server.data_dir / "blametrail.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def _stored(server: Server) -> dict[str, list[str]]:
    """The ids of deploys by commit."""
    url = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", "")).sqlalchemy_url
    with closing(Database(url)) as db:
        rows = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Deploy.commit_sha, Deploy.id)).all())
    found: dict[str, list[str]] = {}
    for commit, id_ in rows:
        found.setdefault(commit, []).append(str(id_))
    return found
