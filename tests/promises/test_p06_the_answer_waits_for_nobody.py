"""While a code host takes questions and never answers, CI is answered, and pages are served."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from sqlmodel import select

from blametrail.deploys.tables import Enrichment
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.cast import opened
from tests.peers.github import FakeGitHub
from tests.running import running

POSTS = 60


def test_the_answer_waits_for_nobody(tmp_path: Path) -> None:
    with FakeGitHub() as github, running(tmp_path / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server:
        server.found()
        github.add_repository("acme/shop", private=True)
        github.add_token("ghp_slow")
        fields = {"kind": "github", "host_url": github.url, "level": "read", "credential": "token", "secret": "ghp_slow"}
        alice = server.sign_in()
        server.form(alice, "connection", **fields).raise_for_status()
        github.hang("/", times=1_000)
        made = server.service("shop", repository=f"{github.url}/acme/shop")

        def post(number: int) -> int:
            return server.post(made["deploy_token"], {"commit_sha": f"{number:07x}"}, key=str(number)).status_code

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(post, range(POSTS))) == {200}
        assert any(r.path.startswith("/repos/") for r in github.requests), "it is being asked"
        with opened(server) as db:
            rows = db.read_now(EVERY_ORGANIZATION, lambda s: list(s.exec(select(Enrichment))))
        assert not [row for row in rows if row.relation], "nothing was answered, and nobody waited for it"
        assert httpx.get(f"{server.url}/livez").status_code == 200
