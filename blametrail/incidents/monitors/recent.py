"""The newest checks of a monitor in one short text: `u120 s2400 d`, the newest last. Pure."""

from __future__ import annotations

from blametrail.incidents.monitors.judge import Health

MOST = 40
_MARKS = {Health.UP: "u", Health.SLOW: "s", Health.DOWN: "d"}
_HEALTH = {mark: health for health, mark in _MARKS.items()}


def with_newest(recent: str, health: Health, latency_ms: float | None) -> str:
    newest = _MARKS[health] + ("" if latency_ms is None else f"{latency_ms:.0f}")
    return " ".join([*recent.split(), newest][-MOST:])


def read_recent(recent: str) -> list[tuple[Health, int | None]]:
    """Each check's health and milliseconds."""
    return [(_HEALTH[one[0]], int(one[1:]) if one[1:] else None) for one in recent.split()]
