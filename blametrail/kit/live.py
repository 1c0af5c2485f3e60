"""Who must hear of what: announcements made in a transaction, delivered after its commit."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

import structlog

from blametrail.settings import settings

if TYPE_CHECKING:
    from sqlmodel import Session

log = structlog.get_logger(__name__)
CHANNEL = "blametrail:live"
_KEY = "announcements"


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something of an organization changed: `topic` is what, such as `deploys` or `service:<id>`."""

    organization_id: UUID
    topic: str


EVERYTHING = Announcement(UUID(int=0), "*")
"""Another process wrote something, and all we know is that it did."""


def announce(session: Session, organization_id: UUID, topic: str) -> None:
    """Tell listeners once this transaction is committed; nothing is told if it is not."""
    session.info.setdefault(_KEY, {})[Announcement(organization_id, topic)] = None


def announced(session: Session) -> list[Announcement]:
    """What a session's transaction has to say."""
    return list(session.info.get(_KEY, ()))


class Hub:
    """Delivers announcements to listeners of this process, and through Redis to the others'."""

    def __init__(self, redis_url: str = "") -> None:
        self._listeners: list[Callable[[Sequence[Announcement]], None]] = []
        self._redis_url = redis_url
        self._client = _redis(redis_url) if redis_url else None
        self._stop = threading.Event()
        if redis_url:
            threading.Thread(target=self._receive, name="live", daemon=True).start()

    def listen(self, listener: Callable[[Sequence[Announcement]], None]) -> None:
        """Call `listener`, from any thread, with what is announced together; it must be quick."""
        self._listeners.append(listener)

    def publish(self, announcements: Iterable[Announcement]) -> None:
        """Deliver; a failing listener or Redis never fails the writer, whose work is committed."""
        told = list(announcements)
        if not told:
            return
        try:
            if self._client is not None:
                self._client.publish(CHANNEL, json.dumps([[str(a.organization_id), a.topic] for a in told]))
                return
        except Exception as error:
            log.warning("live message not sent", error=str(error))
        self._deliver(told)

    def close(self) -> None:
        self._stop.set()

    def _deliver(self, told: Sequence[Announcement]) -> None:
        for listener in self._listeners:
            try:
                listener(told)
            except Exception:
                log.exception("a live listener failed")

    def _receive(self) -> None:
        while not self._stop.is_set():
            try:
                with _redis(self._redis_url).pubsub(ignore_subscribe_messages=True) as subscription:
                    subscription.subscribe(CHANNEL)
                    while not self._stop.is_set():
                        message = subscription.get_message(timeout=1.0)
                        if message:
                            self._deliver([Announcement(UUID(id_), topic) for id_, topic in json.loads(message["data"])])
            except Exception as error:
                log.warning("live messages interrupted", error=str(error))
                self._stop.wait(1.0)


def _redis(url: str):  # type: ignore[no-untyped-def]
    from redis import Redis

    return Redis.from_url(url, socket_connect_timeout=2)


@cache
def hub() -> Hub:
    """The hub of this process."""
    return Hub(settings().redis_url)
