"""The only source of "now"; every time in the product is aware and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def parse_iso(text: str, default_zone: tzinfo | None = None) -> datetime:
    """Read an ISO 8601 time, which must name its zone where there is no default; raises ValueError in words
    a sender can act on."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("must be an ISO 8601 time such as 2026-01-31T14:02:00Z") from None
    if moment.tzinfo is None:
        if default_zone is None:
            raise ValueError("must name its time zone, for example by a trailing Z")
        moment = moment.replace(tzinfo=default_zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999") from None


def from_micros(value: int) -> datetime:
    """Microseconds since 1970 in UTC, as the database keeps them."""
    return _EPOCH + timedelta(microseconds=value)


def to_micros(moment: datetime) -> int:
    """The inverse of `from_micros`, exact; refuses naive times."""
    if moment.tzinfo is None:
        raise ValueError("a naive time reached the database")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
