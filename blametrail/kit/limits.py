"""How often something may happen, counted in memory or in Redis."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TypeVar

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from blametrail.settings import settings

log = structlog.get_logger(__name__)
T = TypeVar("T")
SECONDS_BETWEEN_SWEEPS = 1.0


class RateLimits:
    """Moving-window counters; one store for all limits of the process or of the Redis. While the Redis does
    not answer, each process counts for itself: a deploy must not be lost because a counter is."""

    def __init__(self, redis_url: str = "") -> None:
        self._alone = MovingWindowRateLimiter(_memory())
        self._shared = MovingWindowRateLimiter(_redis(redis_url)) if redis_url else None

    def hit(self, rate: str, *key: str) -> int | None:
        """Count one; None when allowed, else the whole seconds to wait."""
        return None if self._ask(lambda limiter: limiter.hit(_item(rate), *key)) else self._wait(rate, *key)

    def full(self, rate: str, *key: str) -> int | None:
        """The whole seconds to wait if one more would be too many; counts nothing."""
        return None if self._ask(lambda limiter: limiter.test(_item(rate), *key)) else self._wait(rate, *key)

    def forget(self, rate: str, *key: str) -> None:
        """Start counting anew."""
        self._ask(lambda limiter: limiter.clear(_item(rate), *key))

    def _ask(self, question: Callable[[MovingWindowRateLimiter], T]) -> T:
        if self._shared is not None:
            try:
                return question(self._shared)
            except StorageError as error:
                log.warning("Redis does not count; this process counts alone", reason=type(error.storage_error).__name__)
        return question(self._alone)

    def _wait(self, rate: str, *key: str) -> int:
        window = self._ask(lambda limiter: limiter.get_window_stats(_item(rate), *key))
        return max(1, math.ceil(float(window.reset_time) - time.time()))


def _memory() -> MemoryStorage:
    """Counters in memory. Left alone, it starts a thread at most hits, which takes longer than the counting."""
    storage = MemoryStorage()
    storage.timer.cancel()
    storage.timer = _Sweep(SECONDS_BETWEEN_SWEEPS, storage.timer.function)
    storage.timer.start()
    return storage


class _Sweep(threading.Timer):
    """Forgets what is over, again and again, as long as the process lives."""

    daemon = True

    def run(self) -> None:
        while not self.finished.wait(self.interval):
            self.function()


def _redis(url: str) -> Storage:
    storage: Storage = storage_from_string(url, wrap_exceptions=True, socket_connect_timeout=1, socket_timeout=1)
    return storage


@lru_cache(maxsize=100)
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


@cache
def rate_limits() -> RateLimits:
    """The counters of this process."""
    return RateLimits(settings().redis_url)
