"""Where a page of a list ends that is ordered by a moment and an id, as text for an address."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from blametrail.kit.clock import from_micros, to_micros

Place = tuple[datetime, UUID]


def cursor_of(at: datetime, id_: UUID) -> str:
    return f"{to_micros(at)}~{id_}"


def read_cursor(text: str) -> Place | None:
    """None for any other text, which is then the first page."""
    at, _, id_ = text.partition("~")
    try:
        return from_micros(int(at)), UUID(id_)
    except (ValueError, OverflowError):
        return None
