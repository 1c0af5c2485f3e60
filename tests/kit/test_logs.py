"""Whoever logs and whatever a client sent: one bounded, masked line an event."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "dpl_aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7k"
TAB = "0b8f6c1e-7a52-4c52-9d7b-0c7f3f2f9a11"
BEGINNING = f"""
import logging, sys, structlog
own = logging.getLogger("engineio.server")
own.addHandler(logging.StreamHandler(sys.stdout))
own.propagate = False
from blametrail.kit.logs import configure_logs
configure_logs()
SECRET, TAB = {SECRET!r}, {TAB!r}
log = structlog.get_logger("x")
"""


def _logged(tmp_path: Path, lines: str) -> list[str]:
    """What a process of its own prints: the logs of this one are pytest's."""
    environ = os.environ | {"BLAMETRAIL_DATA_DIR": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, "-c", BEGINNING + lines], env=environ, capture_output=True, check=True, timeout=60)
    return (run.stdout + run.stderr).decode().rstrip("\n").split("\n")


@pytest.mark.parametrize(
    "call",
    [
        "own.error('got %s', text)",
        "logging.getLogger('reflex.app').error(text)",
        "log.error(text)",
        "log.error('x', value=text)",
        "log.error('x', value=[text])",
    ],
)
def test_a_client_cannot_forge_lines_or_reach_the_terminal(tmp_path: Path, call: str) -> None:
    found = _logged(tmp_path, f"text = 'a\\n2026 FORGED \\x1b[31m\\r\\x9b\\u2028\\u202e\\ud800 ' + SECRET\n{call}")
    assert len(found) == 1
    assert "FORGED" in found[0]
    assert SECRET not in found[0]
    assert all(character.isprintable() for character in found[0])


@pytest.mark.parametrize(
    "call", ["own.error(text)", "log.error('x', value=text)", "log.error('x', **{f'v{n}': text for n in range(9)})"]
)
def test_lines_are_bounded(tmp_path: Path, call: str) -> None:
    (line,) = _logged(tmp_path, f"text = '\\x1b' + 'A' * 400_000\n{call}")
    assert 1_500 < len(line) <= 8_000


@pytest.mark.parametrize("call", ["own.exception('x')", "log.exception('x')"])
def test_traces_are_masked_and_bounded(tmp_path: Path, call: str) -> None:
    raising = f"try: raise ValueError(SECRET + 'A' * 50_000 + ' client_secret=hunter2')\nexcept ValueError: {call}"
    (line,) = _logged(tmp_path, raising)
    assert "Traceback" in line
    assert SECRET not in line and "hunter2" not in line
    assert len(line) <= 8_000


def test_handlers_of_others_are_not_called_though_they_come_later(tmp_path: Path) -> None:
    found = _logged(
        tmp_path,
        """
import engineio, socketio
from granian.log import LogLevels, configure_logging
engineio.AsyncServer(async_mode="asgi", logger=True)
socketio.AsyncServer(async_mode="asgi", logger=True, engineio_logger=True)
configure_logging(LogLevels.info)
for name in ("engineio.server", "socketio.server", "_granian", "granian.access", "uvicorn.error"):
    logging.getLogger(name).error("BY %s", SECRET)
""",
    )
    found = [line for line in found if "BY" in line]
    assert len(found) == 5
    assert all(line.endswith("BY •••") and " ERROR " in line for line in found)


def test_tokens_of_tabs_are_masked(tmp_path: Path) -> None:
    found = _logged(
        tmp_path,
        """
logging.getLogger("reflex.app").warning("Attempting to send delta to disconnected client %r", TAB)
logging.getLogger("uvicorn.access").warning("GET /_event?token=%s", TAB)
logging.getLogger("engineio.server").error("lost %s", TAB)
log.error("kept", deploy=TAB)
""",
    )
    assert [TAB in line for line in found] == [False, False, False, True]


def test_arguments_that_do_not_fit_are_not_printed(tmp_path: Path) -> None:
    (line,) = _logged(tmp_path, "own.error('%d', SECRET)")
    assert "do not fit" in line
