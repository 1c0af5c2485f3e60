"""How many sockets one address may hold open: each costs memory for as long as it lasts, and anybody can open one."""

from __future__ import annotations

import json
from collections import Counter

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from blametrail.api.body import address_block, client_address
from blametrail.settings import settings


class FewSockets:
    """An ASGI application whose sockets are counted by address; one too many is refused before it opens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        sender = address_block(client_address(HTTPConnection(scope)))
        if self._open[sender] >= settings().sockets_per_address:
            await _refuse(sender, send)
            return
        self._open[sender] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[sender] -= 1
            if not self._open[sender]:
                del self._open[sender]


async def _refuse(sender: str, send: Send) -> None:
    message = (
        f"More than {settings().sockets_per_address} pages are open from {sender}. "
        "Close some of them, or set BLAMETRAIL_SOCKETS_PER_ADDRESS."
    )
    body = json.dumps({"error": {"code": "too_many_sockets", "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"30")]
    await send({"type": "websocket.http.response.start", "status": 429, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
