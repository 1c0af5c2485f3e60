"""P04: oversized bodies are refused before they are read, slow ones are cut, and memory stays flat."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from blametrail.api.ingest import LARGEST_BODY
from blametrail.deploys.tables import Delivery
from blametrail.kit.db import EVERY_ORGANIZATION, Database, select
from blametrail.settings import Settings
from tests.running import Server, running

PATH = "/api/ingest/deploy"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: blametrail\r\nContent-Type: application/json\r\n"
ATTEMPTED = 500_000_000
MOST_READ = 30_000_000  # what buffers of two sockets may hold beyond what the server reads
MOST_GROWTH = 20_000_000
SECONDS_OF_A_BODY = 10


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own that has answered before, whose memory is therefore not that of its start."""
    with running(tmp_path_factory.mktemp("oversized") / "data") as server:
        with httpx.Client(base_url=server.url) as client:
            for size in [100, LARGEST_BODY, LARGEST_BODY + 1] * 20:
                client.post(PATH, content=b" " * size)
        yield server


@pytest.mark.slow
def test_it_stops_reading_endless_chunks(warm: Server) -> None:
    with _flat_memory(warm), ThreadPoolExecutor(4) as threads:
        for sent, answer in threads.map(lambda _: _send_until_cut(warm, ATTEMPTED), range(4)):
            assert sent < MOST_READ
            assert answer in {b"", b"413"}


@pytest.mark.slow
@pytest.mark.parametrize("declared", [LARGEST_BODY + 1, 5_000_000_000])
def test_it_refuses_a_large_length_without_a_body(warm: Server, declared: int) -> None:
    with _flat_memory(warm), _connection(warm) as connection:
        connection.sendall(f"{HEAD}Content-Length: {declared}\r\n\r\n".encode())
        assert _status(connection) == b"413"


@pytest.mark.slow
def test_it_does_not_unpack_a_bomb(warm: Server) -> None:
    bomb = gzip.compress(json.dumps({"commit_sha": "a", "commit_message": "x" * 60_000_000}).encode())
    assert len(bomb) < LARGEST_BODY
    with _flat_memory(warm), httpx.Client(base_url=warm.url) as client:
        for _ in range(20):
            headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
            assert client.post(PATH, content=bomb, headers=headers).status_code == 413


@pytest.mark.slow
def test_it_refuses_ten_thousand_headers(warm: Server) -> None:
    many = "".join(f"X-Header-{number}: {'x' * 20}\r\n" for number in range(10_000))
    with _flat_memory(warm), _connection(warm) as connection:
        connection.sendall(f"{HEAD}{many}Content-Length: 2\r\n\r\n{{}}".encode())
        assert _status(connection) in {b"431", b"400"}


@pytest.mark.slow
def test_it_cuts_a_sender_of_one_byte_a_second(warm: Server) -> None:
    warm.found()
    token = warm.service("Shop")["deploy_token"]
    body = f"{HEAD}X-Deploy-Token: {token}\r\nContent-Length: 50\r\n\r\n".encode()
    chunks = f"{HEAD}X-Deploy-Token: {token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    drips = [(body, b" "), (chunks, b"1\r\n \r\n"), (HEAD.encode(), b"X")]
    with _flat_memory(warm), ThreadPoolExecutor(len(drips)) as threads:
        outcomes = list(threads.map(lambda one: _drip(warm, *one), drips))
    for seconds, _ in outcomes:
        assert SECONDS_OF_A_BODY - 1 < seconds < SECONDS_OF_A_BODY + 3
    assert [answer for _, answer in outcomes[:2]] == [b"503", b"503"]
    assert warm.post(token).status_code == 200
    assert "did not arrive" in _reasons(warm)[0]


def _reasons(server: Server) -> list[str]:
    """What the delivery log says, oldest first."""
    url = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", "")).sqlalchemy_url
    with closing(Database(url)) as db:
        return list(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Delivery.reason).order_by("received_at")).all()))


@contextmanager
def _connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        yield connection


@contextmanager
def _flat_memory(server: Server) -> Iterator[None]:
    """Fail when the server needed more memory at any moment of the block than before it."""
    assert server.process is not None
    process = Path("/proc") / str(server.process.pid)
    (process / "clear_refs").write_text("5")  # the peak starts anew
    before = _memory(process, "VmRSS")
    yield
    assert _memory(process, "VmHWM") - before < MOST_GROWTH


def _memory(process: Path, name: str) -> int:
    (line,) = (one for one in (process / "status").read_text().splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _send_until_cut(server: Server, attempted: int) -> tuple[int, bytes]:
    """Send chunks until the server ends the connection: how many bytes went out, and the status if it arrived."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    sent = 0
    with _connection(server) as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            while sent < attempted:
                connection.sendall(chunk)
                sent += len(chunk)
        except ConnectionError:
            pass
        return sent, _status(connection)


def _drip(server: Server, start: bytes, piece: bytes) -> tuple[float, bytes]:
    """Send a piece every second until the server ends the connection: after how long, and with what status."""
    began = time.monotonic()
    with _connection(server) as connection:
        connection.sendall(start)
        connection.settimeout(1)
        while time.monotonic() - began < 3 * SECONDS_OF_A_BODY:
            try:
                connection.sendall(piece)
                return time.monotonic() - began, _status(connection)
            except TimeoutError:
                continue
            except ConnectionError:
                return time.monotonic() - began, b""
    raise AssertionError("the connection was never cut")


def _status(connection: socket.socket) -> bytes:
    """The status of the answer; nothing when the connection ended without one."""
    try:
        answer = connection.recv(65_536)
    except ConnectionError:
        return b""
    return answer.split(b" ", 2)[1] if answer else b""
