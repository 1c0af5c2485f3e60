"""P02: duplicates, also concurrent and to two processes, make one deploy."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from blametrail.deploys.tables import Deploy
from blametrail.kit.db import EVERY_ORGANIZATION, Database, select
from blametrail.settings import Settings
from tests.running import Server, running

COPIES = 50
KEYS = 20


@pytest.mark.slow
def test_it_makes_one_deploy_of_fifty_copies_to_two_processes(tmp_path: Path) -> None:
    with running(tmp_path / "data") as one:
        one.found()
        token = one.service("Shop")["deploy_token"]
        other = Server(one.data_dir, one.settings)
        try:
            other.start()
            answers = _post_copies([one, other], token)
        finally:
            if other.process is not None:
                other.kill(signal.SIGTERM)
        kept = _stored(one)
    assert set(kept) == set(answers)
    for key, bodies in answers.items():
        assert sorted(body["status"] for body in bodies) == ["accepted", *["duplicate"] * (COPIES - 1)]
        assert {body["deploy_id"] for body in bodies} == set(kept[key])
        assert len(kept[key]) == 1


def _post_copies(servers: list[Server], token: str) -> dict[str, list[dict[str, str]]]:
    """Post all copies of a key at the same moment, one key after the other; the answers by key."""
    keys = [f"run-{number}" for number in range(KEYS)]
    together = Barrier(COPIES)

    def post(copy: int) -> list[dict[str, str]]:
        url = f"{servers[copy % len(servers)].url}/api/ingest/deploy"
        bodies = []
        with httpx.Client(timeout=30) as client:
            for key in keys:
                together.wait(60)
                answer = client.post(
                    url, json={"commit_sha": f"{copy:07}"}, headers={"X-Deploy-Token": token, "X-Idempotency-Key": key}
                )
                assert answer.status_code == 200, answer.text
                bodies.append(answer.json())
        return bodies

    with ThreadPoolExecutor(COPIES) as threads:
        by_copy = list(threads.map(post, range(COPIES)))
    return {key: [bodies[position] for bodies in by_copy] for position, key in enumerate(keys)}


def _stored(server: Server) -> dict[str, list[str]]:
    """The ids of deploys by key."""
    url = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", "")).sqlalchemy_url
    with closing(Database(url)) as db:
        rows = db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Deploy.idempotency_key, Deploy.id)).all())
    found: dict[str, list[str]] = {}
    for key, id_ in rows:
        found.setdefault(str(key), []).append(str(id_))
    return found
