"""Alerts over 16 connections, beside a bare route that commits one row, in the same run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from tests.bench.ingest import BODY, CONNECTIONS, ROUNDS, SECONDS, wait_for
from tests.bench.load import post_for, quantile
from tests.bench.report import Report
from tests.running import free_port, running

ALERT = {"title": "The queue grows", "fingerprint": "queue", "severity": "critical", "service": "checkout"}


def bench(report: Report) -> None:
    """An alert that fires on, told again and again: found, routed, counted, logged and committed each time."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
        server.found()
        server.service("checkout")
        client = server.sign_in()
        token = server.form(client, "alert-source", name="bench", kind="generic").json()["secret"]
        client.close()
        port = free_port()
        bare = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", f"{folder}/bare.db", str(port)])
        try:
            wait_for(f"http://127.0.0.1:{port}/")
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(_run(f"http://127.0.0.1:{port}/", {}, BODY))
                ours.append(_run(f"{server.url}/api/alerts/generic", {"X-Alert-Token": token}, ALERT))
        finally:
            bare.kill()
    rate, bare_rate = median(len(r) for r in ours) / SECONDS, median(len(r) for r in theirs) / SECONDS
    report.line("alerts, bare Starlette route", bare_rate, "req/s")
    report.line("alerts, BlameTrail", rate, "req/s", at_least=100)
    report.line("alerts, ratio to the bare route", rate / bare_rate, "")
    report.line("alerts, p99 latency", median(quantile(r, 0.99) for r in ours) * 1e3, "ms")


def _run(url: str, headers: Mapping[str, str], body: dict[str, str]) -> list[float]:
    return asyncio.run(post_for(url, SECONDS, CONNECTIONS, headers, body))
