"""One address may hold so many sockets open, and no more; what it says of itself does not help it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from socketio.exceptions import ConnectionError as Refused

import blametrail.blametrail  # noqa: F401  (registers the handlers that a visitor names)
from tests.running import Server, running
from tests.visitor import visiting

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


def upgrade(server: Server, **headers: str) -> httpx.Response:
    """What a program gets that asks for a socket, when it gets none."""
    return httpx.get(f"{server.url}/_event/?EIO=4&transport=websocket", headers=UPGRADE | headers, timeout=5)


async def test_it_refuses_one_socket_too_many_in_words(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_SOCKETS_PER_ADDRESS="3") as server:
        async with AsyncExitStack() as tabs:
            for _ in range(3):
                last = await tabs.enter_async_context(visiting(server.url))
            for forged in ({}, {"X-Forwarded-For": "203.0.113.7"}):
                with pytest.raises(Refused):
                    async with visiting(server.url, headers=forged):
                        pass
                answer = upgrade(server, **forged)
                assert answer.status_code == 429
                assert "More than 3 pages are open from 127.0.0.1" in answer.json()["error"]["message"]
            assert httpx.get(f"{server.url}/livez").status_code == 200
            assert await last.call("shell_state.dismiss", toast_id="x")
        async with visiting(server.url) as visitor:
            assert visitor.updates


async def test_it_counts_by_the_address_that_our_own_proxy_saw(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_SOCKETS_PER_ADDRESS="1", BLAMETRAIL_TRUSTED_PROXY_HOPS="1") as server:
        async with visiting(server.url, headers={"X-Forwarded-For": "2001:db8::1"}):
            async with visiting(server.url, headers={"X-Forwarded-For": "203.0.113.7"}) as other:
                assert other.updates
            with pytest.raises(Refused):
                async with visiting(server.url, headers={"X-Forwarded-For": "203.0.113.7, 2001:db8::2"}):
                    pass
