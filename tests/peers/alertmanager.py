"""A real Prometheus Alertmanager on loopback, configured by the snippet that our page shows."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.running import ROOT, free_port

UNPACKED = ROOT / ".tools/alertmanager/usr/bin/prometheus-alertmanager"
BINARY = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or shutil.which(UNPACKED)
MISSING = "prometheus-alertmanager is neither here nor installable (Debian: apt-get install prometheus-alertmanager)"
ROUTE = """route:
  receiver: blametrail
  group_by: [alertname]
  group_wait: 200ms
  group_interval: 500ms
  repeat_interval: 1h
"""


class Alertmanager:
    """Where rules would send what fires; it groups, waits and tells."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def tell(self, *sets: dict[str, str], over: bool = False, began: datetime | None = None) -> None:
        """Say that alerts with these labels fire, as Prometheus does, or are over."""
        now = datetime.now(UTC)
        starts, ends = began or now, now if over else now + timedelta(hours=1)
        alerts = [
            {
                "labels": labels,
                "annotations": {"summary": f"{labels['alertname']} on {labels.get('service', 'nothing')}"},
                "startsAt": starts.isoformat(),
                "endsAt": ends.isoformat(),
                "generatorURL": "http://prometheus.internal/graph",
            }
            for labels in sets
        ]
        httpx.post(f"{self.url}/api/v2/alerts", json=alerts, timeout=10).raise_for_status()


@contextmanager
def alertmanager(folder: Path, snippet: str) -> Iterator[Alertmanager]:
    """One for the duration of a block; `snippet` is its part of the configuration that names receivers."""
    assert BINARY is not None
    port = free_port()
    (folder / "alertmanager.yml").write_text(ROUTE + snippet)
    command = [BINARY, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/-/ready", process)
        yield Alertmanager(port)
    except BaseException:
        print((folder / "alertmanager.log").read_text()[-4000:])
        raise
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("Alertmanager did not start")
