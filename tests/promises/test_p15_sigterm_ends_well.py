"""SIGTERM: what was accepted is finished, and the process ends with exit code 0, whoever is still connected."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.running import running
from tests.visitor import visiting


def test_it_ends_while_nobody_is_connected(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        assert server.kill(signal.SIGTERM) == 0


@pytest.mark.slow
async def test_it_ends_while_a_page_hangs(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        async with visiting(server.url):
            idle = socket.create_connection(("127.0.0.1", server.port))
            idle.sendall(b"POST /api/ingest/deploy HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
            assert server.kill(signal.SIGTERM) == 0
            idle.close()
