"""Enrichment of a deploy with 100 commits, 20 pull requests and 200 files: calls, time beyond the host's own, memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import httpx

from blametrail.kit.clock import now
from tests.bench.load import post_for, quantile
from tests.bench.report import Report
from tests.cast import opened
from tests.peers.github import FakeGitHub, File, Repository
from tests.running import Server, running

COMMITS, PULL_REQUESTS, FILES = 100, 20, 200
SECONDS, CONNECTIONS, ROUNDS = 4.0, 8, 3
PATCH = "@@ -1,20 +1,20 @@\n" + "\n".join(f"-old line {n}\n+new line {n}" for n in range(20))


def bench(report: Report) -> None:
    """From the post to the stored result, against a host on loopback that answers at once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHub() as github,
        running(Path(folder) / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server,
    ):
        server.found()
        github.add_token("ghp_bench")
        fields = {"kind": "github", "host_url": github.url, "level": "read", "credential": "token", "secret": "ghp_bench"}
        server.form(server.sign_in(), "connection", **fields).raise_for_status()
        shop = github.add_repository("acme/shop", private=True)
        made = server.service("shop", repository=f"{github.url}/acme/shop")
        server.post(made["deploy_token"], {"commit_sha": shop.commit("Start", at=now() - timedelta(days=2))})
        enriched(server, 1)
        time.sleep(2)  # what is asked when a repository is linked is over; merged from now on, pull requests are unknown
        head = history(shop)
        before, memory = len(github.requests), resident(server)
        began = time.perf_counter()
        server.post(made["deploy_token"], {"commit_sha": head})
        enriched(server, 2)
        took = time.perf_counter() - began
        asked = github.requests[before:]
        report.line("enrichment, calls", len(asked), "", at_most=4 + PULL_REQUESTS)
        report.line(
            "enrichment, seconds beyond the host's own", took - alone(github, [r.path for r in asked]), "s", at_most=1.0
        )
        report.line("enrichment, memory it took", resident(server) - memory, "MB", at_most=50)


def bench_posts(report: Report) -> None:
    """Deploy posts of a service whose code host takes questions and never answers, beside one that is linked to none."""
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHub() as github,
        running(Path(folder) / "data", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server,
    ):
        server.found()
        github.add_token("ghp_bench")
        fields = {"kind": "github", "host_url": github.url, "level": "read", "credential": "token", "secret": "ghp_bench"}
        server.form(server.sign_in(), "connection", **fields).raise_for_status()
        github.hang("/", times=1_000_000)
        tokens = [
            server.service("alone")["deploy_token"],
            server.service("shop", repository=f"{github.url}/acme/shop")["deploy_token"],
        ]
        alone: list[list[float]] = []
        hanging: list[list[float]] = []
        for _ in range(ROUNDS):
            for token, found in zip(tokens, (alone, hanging), strict=True):
                url = f"{server.url}/api/ingest/deploy"
                found.append(asyncio.run(post_for(url, SECONDS, CONNECTIONS, {"X-Deploy-Token": token}, {})))
        ratio = median(quantile(r, 0.99) for r in hanging) / median(quantile(r, 0.99) for r in alone)
        report.line("ingest p99 while a code host hangs, to one without", ratio, "", at_most=1.5)


def history(shop: Repository) -> str:
    """The last commit of 20 merges of five commits each, with ten files in each merge."""
    for number in range(PULL_REQUESTS):
        files = [
            File(f"app/module{number}/file{n}.py", patch=PATCH, additions=20, deletions=20)
            for n in range(FILES // PULL_REQUESTS)
        ]
        branch = f"work-{number}"
        for step in range(COMMITS // PULL_REQUESTS - 1):
            shop.commit(f"Step {step} of {number}", *(files if step == 0 else ()), branch=branch)
        shop.merge(f"Change {number}", how="merge", head=branch)
    return shop.branches["main"]


def enriched(server: Server, deploys: int) -> None:
    """Wait until so many deploys of the shop are."""
    from sqlmodel import func, select

    from blametrail.deploys.tables import Enrichment
    from blametrail.kit.db import EVERY_ORGANIZATION

    done = select(func.count()).select_from(Enrichment).where(Enrichment.state.in_(["complete", "partial"]))  # type: ignore[attr-defined]
    with opened(server) as db:
        for _ in range(3_000):
            if db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(done).one()) >= deploys:
                return
            time.sleep(0.005)
    raise AssertionError("the deploy was not enriched")


def alone(github: FakeGitHub, paths: list[str]) -> float:
    """Seconds that the host takes for these questions, asked one after the other."""
    with httpx.Client(headers={"Authorization": "Bearer ghp_bench"}) as client:
        client.get(f"{github.api}/user")
        began = time.perf_counter()
        for path in paths:
            client.get(f"{github.api}{path}?per_page=100").raise_for_status()
        return time.perf_counter() - began


def resident(server: Server) -> float:
    from tests.bench.__main__ import memory

    return memory(server)
