"""What a browser feels."""

from __future__ import annotations

from tests.bench.report import Report


def bench(report: Report) -> None:
    pass
