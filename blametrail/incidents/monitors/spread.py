"""When a monitor's checks fall: at a moment of its own in each interval, so that many are spread in time. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_slot(monitor_id: UUID, interval: timedelta, after: datetime) -> datetime:
    """The first slot later than a moment; the same for every process and after every restart."""
    offset = timedelta(microseconds=monitor_id.int % (interval // timedelta(microseconds=1)))
    passed = (after - _EPOCH - offset) // interval
    return _EPOCH + offset + (passed + 1) * interval
