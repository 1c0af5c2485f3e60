"""When a monitor's checks make it another: three in a row of one kind. Pure; what is told is decided elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

IN_A_ROW = 3


class Health(StrEnum):
    """Of a check, and of a monitor."""

    UP = "up"
    DOWN = "down"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a monitor is, since when; and the run of like checks that ends with the newest."""

    health: Health
    since: datetime
    run: Health
    run_length: int
    run_since: datetime

    @classmethod
    def fresh(cls, at: datetime, health: Health = Health.UP) -> Standing:
        """Of a monitor without checks, or whose checks say nothing any more, for it was paused or changed."""
        return cls(health, at, health, 0, at)


def after(standing: Standing, health: Health, at: datetime) -> Standing:
    """With one more check."""
    if standing.run_length and standing.run is health:
        return replace(standing, run_length=standing.run_length + 1)
    return replace(standing, run=health, run_length=1, run_since=at)


def due(standing: Standing) -> Health | None:
    """What the monitor is to become, None while nothing is to change. It stays due until it is done, so that neither a
    maintenance window nor the end of a process loses it."""
    changes = standing.run_length >= IN_A_ROW and standing.run is not standing.health
    return standing.run if changes else None


def turned(standing: Standing) -> Standing:
    """As its newest checks say, from the first of them on."""
    return replace(standing, health=standing.run, since=standing.run_since)
