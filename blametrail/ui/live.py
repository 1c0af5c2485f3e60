"""Live pages: when something is announced, the pages that show it load it again.

A page subscribes when it loads. Announcements are collected for a moment, then each subscribed page
is refreshed once, by its own guarded refresh, so that a push shows nothing a load would not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import reflex as rx
import structlog

from blametrail.kit.errors import BlameTrailError
from blametrail.kit.live import EVERYTHING, Announcement, hub
from blametrail.ui.guard import current_actor

log = structlog.get_logger(__name__)
PAUSE = 0.1
"""Seconds between two refreshes of everybody: a browser that is sent more than it can draw shows everything late."""

PATIENCE = 0.5
"""Seconds that everybody waits for the slowest page of a round; from then on it is refreshed on its own."""

SHARED_FOR = 2.0
"""Seconds that a view is shared; another process may have written and told nobody."""
MOST_SHARED = 500


@dataclass(frozen=True, slots=True)
class _Subscription:
    organization_id: UUID
    topics: frozenset[str]
    state: type[rx.State]
    socket: str


_subscriptions: dict[str, _Subscription] = {}
_waiting: list[Sequence[Announcement]] = []
_under_way: dict[str, asyncio.Task[None]] = {}
_behind: dict[str, _Subscription] = {}
_views: dict[tuple[UUID, Hashable], tuple[float, asyncio.Future[Any]]] = {}


def subscribe(state: rx.State, organization_id: UUID, *topics: str) -> None:
    """Refresh this page at these topics, until its browser leaves it: `_refresh(actor)` is called."""
    session = state.router.session
    _subscriptions[session.client_token] = _Subscription(organization_id, frozenset(topics), type(state), session.session_id)


def unsubscribe(state: rx.State) -> None:
    _subscriptions.pop(state.router.session.client_token, None)


async def shared(organization_id: UUID, key: Hashable, load: Callable[[], Awaitable[Any]]) -> Any:
    """Load a view once for all pages that show the same; `key` holds everything that decides it."""
    now = asyncio.get_running_loop().time()
    since, found = _views.get((organization_id, key), (0.0, None))
    if found is None or now - since > SHARED_FOR or (found.done() and (found.cancelled() or found.exception())):
        if len(_views) > MOST_SHARED:
            _views.clear()
        found = asyncio.ensure_future(load())
        _views[organization_id, key] = (now, found)
    return await asyncio.shield(found)


@asynccontextmanager
async def refreshing(app: rx.App) -> AsyncIterator[None]:
    """Lifespan of the application: listen and refresh."""
    loop, wake = asyncio.get_running_loop(), asyncio.Event()

    def hear(told: Sequence[Announcement]) -> None:
        loop.call_soon_threadsafe(note, told)

    def note(told: Sequence[Announcement]) -> None:
        if EVERYTHING in told:
            _views.clear()
        for organization_id in {announcement.organization_id for announcement in told}:
            _forget_views(organization_id)
        _waiting.append(told)
        wake.set()

    hub().listen(hear)
    task = asyncio.create_task(_refresh_forever(app, wake))
    try:
        yield
    finally:
        _behind.clear()
        for running in (task, *_under_way.values()):
            running.cancel()


async def _refresh_forever(app: rx.App, wake: asyncio.Event) -> None:
    while True:
        await wake.wait()
        wake.clear()
        heard = {announcement for told in _waiting for announcement in told}
        _waiting.clear()
        await _refresh_all(app, heard)
        await asyncio.sleep(PAUSE)


async def _refresh_all(app: rx.App, heard: set[Announcement]) -> None:
    assert app.event_namespace is not None
    connected = app.event_namespace.token_to_sid
    # A token names a tab, but is the client's word: whoever connects with it anew has to ask anew.
    for tab in [tab for tab, wanted in _subscriptions.items() if connected.get(tab) != wanted.socket]:
        del _subscriptions[tab]
    concerned = [
        (token, wanted)
        for token, wanted in _subscriptions.items()
        if any(_concerns(announcement, wanted) for announcement in heard)
    ]
    _behind.update((token, wanted) for token, wanted in concerned if token in _under_way)
    started = [_start(app, token, wanted) for token, wanted in concerned if token not in _under_way]
    if started:
        await asyncio.wait(started, timeout=PATIENCE)


def _start(app: rx.App, token: str, wanted: _Subscription) -> asyncio.Task[None]:
    """Refresh a page, and once more if something was announced meanwhile."""

    def end(task: asyncio.Task[None]) -> None:
        del _under_way[token]
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, BlameTrailError):
            log.warning("a page was not refreshed", reason=error.message)
        elif error:
            log.error("a page was not refreshed", exc_info=error)
        if again := _behind.pop(token, None):
            _start(app, token, again)

    task = _under_way[token] = asyncio.create_task(_refresh(app, token, wanted))
    task.add_done_callback(end)
    return task


def _concerns(announcement: Announcement, wanted: _Subscription) -> bool:
    same = announcement.organization_id == wanted.organization_id and announcement.topic in wanted.topics
    return same or announcement == EVERYTHING


async def _refresh(app: rx.App, token: str, wanted: _Subscription) -> None:
    async with app.modify_state(rx.BaseStateToken(ident=token, cls=wanted.state)) as root:
        state: Any = await root.get_state(wanted.state)
        actor = await current_actor(state)
        if actor is None or actor.organization_id != wanted.organization_id:
            _subscriptions.pop(token, None)
            return
        await state._refresh(actor)


def _forget_views(organization_id: UUID) -> None:
    for key in [key for key in _views if key[0] == organization_id]:
        del _views[key]
