"""A browser without a screen: speaks Reflex's socket as any program could, honest or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import socketio

STATES = "reflex___state____state"


class Visitor:
    """One tab: keeps every update and every event that the server sent."""

    def __init__(self, socket: socketio.AsyncClient, path: str) -> None:
        self._socket = socket
        self.path = path
        self.updates: list[dict[str, Any]] = []

    async def call(self, handler: str, query: str = "", settle: float = 0.4, **payload: Any) -> list[dict[str, Any]]:
        """Call a handler, `shell_state.search` for short, and answer what came back."""
        before = len(self.updates)
        parameters = dict(pair.split("=", 1) for pair in query.lstrip("?").split("&") if "=" in pair)
        folder, _, rest = self.path.lstrip("/").partition("/")
        if rest:
            parameters[{"deploys": "deploy_id", "services": "service_id", "incidents": "incident_id"}[folder]] = rest
        event = {
            "name": full_name(handler),
            "payload": payload,
            "router_data": {"pathname": self.path, "asPath": self.path + query, "query": parameters},
        }
        await self._socket.emit("event", event, namespace="/_event")
        await self._settle(before, settle)
        return self.updates[before:]

    async def _settle(self, before: int, quiet: float) -> None:
        """Wait for an answer, however busy the machine is, then until nothing more comes; some calls have none."""
        for _ in range(40):
            if len(self.updates) > before:
                break
            await asyncio.sleep(0.05)
        heard = -1
        while heard != len(self.updates):
            heard = len(self.updates)
            await asyncio.sleep(quiet)

    async def send(self, event: str, *data: Any) -> None:
        """Anything at all, as a program may that is not a page."""
        await self._socket.emit(event, data, namespace="/_event")
        await asyncio.sleep(0.2)

    def seen(self) -> str:
        """Everything that was sent to this tab, as text."""
        return repr(self.updates)


@asynccontextmanager
async def visiting(
    url: str,
    cookie: str = "",
    path: str = "/",
    origin: str | None = None,
    token: str = "",
    headers: dict[str, str] | None = None,
    hydrates: bool = True,
) -> AsyncIterator[Visitor]:
    """Open the socket of a page; raises ConnectionError when the server refuses."""
    socket = socketio.AsyncClient(reconnection=False)
    visitor = Visitor(socket, path)

    async def keep(data: Any = None) -> None:
        visitor.updates.append(data)

    socket.on("event", keep, namespace="/_event")
    sent = {"Origin": origin or url, **({"Cookie": cookie} if cookie else {}), **(headers or {})}
    await socket.connect(
        f"{url}?token={token or uuid4()}",
        headers=sent,
        socketio_path="/_event",
        namespaces=["/_event"],
        transports=["websocket"],
        wait_timeout=5,
    )
    try:
        if hydrates:
            await visitor.call("hydrate", settle=0.3)
        yield visitor
    finally:
        await socket.disconnect()


def full_name(handler: str) -> str:
    """The registered name that ends like `handler`."""
    if handler.startswith("reflex___"):
        return handler
    from reflex_base.registry import RegistrationContext

    import blametrail.blametrail  # noqa: F401  (registers the handlers)

    names = RegistrationContext.get().event_handlers
    state, _, method = handler.rpartition(".")
    wanted = f"____{state}.{method}" if state else f"{STATES}.{method}"
    return next((name for name in names if name.endswith(wanted)), f"{STATES}.{handler}")
