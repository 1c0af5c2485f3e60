"""What a browser's socket may send. Anybody can open one, so it is checked before the framework sees it.

The framework's own class takes any size and shape, keeps what it was sent, and lets a client call the
handlers of connecting and disconnecting by their names.
"""

from __future__ import annotations

from typing import Any

import reflex as rx
import structlog
from reflex.app import EventNamespace
from reflex.state import FrontendEventExceptionState

log = structlog.get_logger(__name__)

LARGEST_MESSAGE = 65_536
"""Bytes of one message; the longest that a page of ours sends is a form of a few kilobytes."""

LONGEST_PATH = 4_096
MOST_PARAMETERS = 50
LONGEST_REPORT = 2_000


class CheckedSocket(EventNamespace):
    """Passes on events of the shape that pages send, and nothing else."""

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event in {"connect", "disconnect"} and self._is_forged(event, *args):
            return None
        return await super().trigger_event(event, *args)

    async def on_event(self, sid: str, data: Any) -> None:
        if _fits(data):
            await super().on_event(sid, {**data, "router_data": _place(data.get("router_data"))})
        else:
            log.warning("event refused", reason="not of the shape that pages send")

    def _is_forged(self, event: str, sid: str, *rest: Any) -> bool:
        """Whether a client sent an event of this name; the server's own come with the request that it keeps,
        or for a socket that it has already let go."""
        if event == "disconnect":
            return bool(self.server.manager.is_connected(sid, self.namespace))
        known = self.server.environ.get(self.server.manager.eio_sid_from_sid(sid, self.namespace))
        return not rest or known is None or rest[0] is not known


def check_sockets(app: rx.App) -> None:
    """Put the checked socket in the place of the framework's."""
    socket = CheckedSocket(app.event_namespace.namespace, app)
    app._event_namespace = socket
    app.sio.register_namespace(socket)
    # Its patterns take time that grows with the cube of what a client sends; a reload by script is not allowed anyway.
    FrontendEventExceptionState.auto_reload_on_errors = []


def on_page_error(exception: Exception) -> None:
    """What a browser reports of itself: the client's words, so one short line."""
    log.warning("a page reports an error", report=str(exception)[:LONGEST_REPORT])


def _fits(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("name"), str)
        and isinstance(data.get("payload", {}), dict | None)
        and isinstance(data.get("router_data", {}), dict | None)
    )


def _place(router_data: dict[str, Any] | None) -> dict[str, Any]:
    """Where the page says it is: path and parameters, cut; the framework keeps them as long as the tab."""
    given = router_data or {}
    place: dict[str, Any] = {n: given[n][:LONGEST_PATH] for n in ("pathname", "asPath") if isinstance(given.get(n), str)}
    query = given.get("query")
    if isinstance(query, dict):
        pairs = [(k, v) for k, v in query.items() if isinstance(v, str)][:MOST_PARAMETERS]
        place["query"] = {k[:LONGEST_PATH]: v[:LONGEST_PATH] for k, v in pairs}
    return place
