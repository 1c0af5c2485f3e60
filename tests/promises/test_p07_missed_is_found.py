"""What code hosts told while we were down is found again after the start, each once."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
from sqlmodel import select

from blametrail.changes.tables import WatchedRepository
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import cast, opened
from tests.peers.github import FakeGitHub, File
from tests.running import Server, running

TOKEN = "ghp_canaryCanaryCanaryCanary0004"
MISSED = 30


def test_it_finds_what_was_merged_during_an_outage(tmp_path: Path) -> None:
    with FakeGitHub() as github, running(tmp_path / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server:
        github.add_token(TOKEN)
        shop = github.add_repository("acme/shop", private=True)
        shop.commit("Start", at=now() - timedelta(days=60))
        shop.merge("Before", File("a.py"), at=now() - timedelta(minutes=3))
        server.found()
        acme = cast(server)
        link(server, acme.cookies["alice"], github)
        wait_for(server, 1)

        server.kill()
        numbers = [shop.merge(f"Missed {n}", File(f"missed/{n}.py"), at=now() - timedelta(minutes=1)) for n in range(MISSED)]
        with opened(server) as db:
            db.write_now(EVERY_ORGANIZATION, minutes_pass)
        server.start()
        wait_for(server, 1 + MISSED)
        with opened(server) as db:
            here = select(PullRequest.number).where(PullRequest.host_url == github.url)
            known = db.read_now(UUID(acme.organization_id), lambda s: list(s.exec(here)))
        assert len(known) == 1 + MISSED and set(numbers) <= set(known)


def link(server: Server, cookie: str, github: FakeGitHub) -> None:
    headers = {"Origin": server.url, "Cookie": cookie}
    fields = {"kind": "github", "host_url": github.url, "level": "read", "credential": "token", "secret": TOKEN}
    assert httpx.post(f"{server.url}/form/connection", json=fields, headers=headers, timeout=30).status_code == 200
    service = {"name": "shop", "environment": "production", "type": "web", "repositories": f"{github.url}/acme/shop"}
    assert httpx.post(f"{server.url}/form/service", json=service, headers=headers).status_code == 200


def wait_for(server: Server, count: int) -> None:
    """Until so many pull requests are known with their files."""

    def known(session: ScopedSession) -> int:
        return len([row for row in session.exec(select(PullRequest)) if row.has_files])

    found = -1
    with opened(server) as db:
        for _ in range(600):
            if (found := db.read_now(EVERY_ORGANIZATION, known)) == count:
                return
            time.sleep(0.1)
    raise AssertionError(f"{found} of {count} are known")


def minutes_pass(session: ScopedSession) -> None:
    for row in session.exec(select(WatchedRepository)):
        row.poll_at = now() - timedelta(minutes=1)
        session.add(row)
