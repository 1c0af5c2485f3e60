"""The address of the page "What changed": two moments or one, and which services and environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from blametrail.kit.clock import parse_iso
from blametrail.ui.address import Address, read_address

PATH = "/changes/between"
A_DAY = timedelta(days=1)
NOW = "now"
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moments:
    """`end` is now where it is None, `start` a day before the end; of one moment alone, `end` is that."""

    start: datetime | None = None
    end: datetime | None = None
    is_one: bool = False
    chosen: Address = field(default_factory=Address)

    @property
    def follows_now(self) -> bool:
        return self.end is None

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """Both moments, the earlier one first."""
        end = self.end or now
        start = self.start or _earlier(end)
        return (start, end) if start <= end else (end, start)

    def earlier(self, now: datetime) -> Moments:
        """With one more day in front."""
        start, _ = self.span(now)
        return replace(self, start=_earlier(start))

    def at(self, start_ms: float, end_ms: float) -> Moments:
        """With other moments, in milliseconds since 1970; unchanged where there are no such."""
        try:
            start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (start_ms, end_ms))
        except (OverflowError, ValueError, OSError):
            return self
        return replace(self, start=None if self.is_one else start, end=end)

    def href(self) -> str:
        """The address of the page, without what is default."""
        pairs = {}
        if self.is_one:
            pairs["at"] = _text(self.end) if self.end else NOW
        else:
            pairs |= {name: _text(moment) for name, moment in (("from", self.start), ("to", self.end)) if moment}
        filters = Address(services=self.chosen.services, environments=self.chosen.environments).query().removeprefix("?")
        query = "&".join(part for part in (urlencode(pairs), filters) if part)
        return f"{PATH}?{query}" if query else PATH


def read_moments(query: Mapping[str, str]) -> Moments:
    """Read a query string; whatever does not fit falls back to its default."""
    chosen = read_address({name: query[name] for name in ("service", "env") if name in query})
    if "at" in query:
        return Moments(end=_moment(query["at"]), is_one=True, chosen=chosen)
    return Moments(_moment(query.get("from", "")), _moment(query.get("to", "")), chosen=chosen)


def between(start: datetime, end: datetime | None, chosen: Address) -> str:
    """The page for two moments, the second None for now, with the filters of another page."""
    return Moments(start, end, chosen=chosen).href()


def from_the_whole_second_after(moment: datetime) -> datetime:
    """The next moment that a person can type: what happened at this one is known then."""
    is_whole = moment.microsecond == 0 or moment > LAST
    return moment if is_whole else moment.replace(microsecond=0) + timedelta(seconds=1)


def _earlier(moment: datetime) -> datetime:
    return moment - A_DAY if moment - FIRST > A_DAY else moment


def _moment(text: str) -> datetime | None:
    try:
        return parse_iso(text)
    except ValueError:
        return None


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
