"""Deploy posts over 16 connections, beside a bare route in the same run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

from tests.bench.load import post_for, quantile
from tests.bench.report import Report
from tests.running import free_port, running

SECONDS, CONNECTIONS, ROUNDS = 5.0, 16, 3
BODY = {"commit_message": "Retry payments when the gateway times out\n\nThree tries, then the queue."}


def bench(report: Report) -> None:
    """Alternate both, so that what else the machine does hits both; compare the medians of the rounds."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
        server.found()
        token = server.service("checkout")["deploy_token"]
        port = free_port()
        bare = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", f"{folder}/bare.db", str(port)])
        try:
            wait_for(f"http://127.0.0.1:{port}/")
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(_run(f"http://127.0.0.1:{port}/", {}))
                ours.append(_run(f"{server.url}/api/ingest/deploy", {"X-Deploy-Token": token}))
        finally:
            bare.kill()
    rate, bare_rate = median(len(r) for r in ours) / SECONDS, median(len(r) for r in theirs) / SECONDS
    report.line("ingest, bare Starlette route", bare_rate, "req/s")
    report.line("ingest, BlameTrail", rate, "req/s")
    report.line("ingest, ratio to the bare route", rate / bare_rate, "", at_least=0.8)
    report.line("ingest, median latency", median(quantile(r, 0.5) for r in ours) * 1e3, "ms")
    report.line("ingest, p99 latency", median(quantile(r, 0.99) for r in ours) * 1e3, "ms")


def _run(url: str, headers: dict[str, str]) -> list[float]:
    return asyncio.run(post_for(url, SECONDS, CONNECTIONS, headers, BODY))


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.05)
