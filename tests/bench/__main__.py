"""Measure and print, with the goal beside each number; the last line says whether all were met."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import alerts, browser, enrich, ingest, monitors, onset, search, timeline
from tests.bench.report import Report
from tests.running import Server, running


def start(report: Report) -> None:
    """From the command to the first answer of /livez, and memory at rest."""
    with tempfile.TemporaryDirectory() as folder:
        with running(Path(folder) / "data"):
            pass  # the database is made
        server = Server(Path(folder) / "data")
        began = time.perf_counter()
        server.start()
        report.line("start, second time", time.perf_counter() - began, "s", at_most=3.0)
        time.sleep(2)
        report.line("memory at rest", memory(server), "MB", at_most=200)
        server.kill()


def memory(server: Server) -> float:
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


BENCHMARKS: dict[str, Callable[[Report], None]] = {
    "start": start,
    "ingest": ingest.bench,
    "alerts": alerts.bench,
    "timeline": timeline.bench,
    "enrich": enrich.bench,
    "posts": enrich.bench_posts,
    "search": search.bench,
    "monitors": monitors.bench,
    "onset": onset.bench,
    "browser": browser.bench,
}


def main(names: list[str]) -> int:
    report = Report()
    for name in names or BENCHMARKS:
        BENCHMARKS[name](report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
