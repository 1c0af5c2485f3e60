"""How often something may happen, counted in memory or in Redis."""

from __future__ import annotations

import math
import time
from functools import cache, lru_cache

from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from blametrail.settings import settings


class RateLimits:
    """Moving-window counters; one store for all limits of the process or of the Redis."""

    def __init__(self, redis_url: str = "") -> None:
        self._limiter = MovingWindowRateLimiter(storage_from_string(redis_url or "memory://"))

    def hit(self, rate: str, *key: str) -> int | None:
        """Count one; None when allowed, else the whole seconds to wait."""
        if self._limiter.hit(_item(rate), *key):
            return None
        return self._wait(rate, *key)

    def full(self, rate: str, *key: str) -> int | None:
        """The whole seconds to wait if one more would be too many; counts nothing."""
        return None if self._limiter.test(_item(rate), *key) else self._wait(rate, *key)

    def _wait(self, rate: str, *key: str) -> int:
        window = self._limiter.get_window_stats(_item(rate), *key)
        return max(1, math.ceil(float(window.reset_time) - time.time()))


@lru_cache(maxsize=100)
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


@cache
def rate_limits() -> RateLimits:
    """The counters of this process."""
    return RateLimits(settings().redis_url)
