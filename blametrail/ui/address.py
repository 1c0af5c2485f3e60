"""The address of a page is its state: read filters and ranges from a query string, and write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from blametrail.deploys.filters import Filters
from blametrail.deploys.timeline import Window

PRESETS = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
DEFAULT_PRESET = "24h"
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(days=400)
STEPS_AHEAD = 24
"""A preset ends at the next but one of so many steps of its length: it stands still in between."""
SEPARATOR = "~"
TEXT_FIELDS = ("branch", "author", "q")


@dataclass(frozen=True, slots=True)
class Address:
    """What the timeline and the list show, as their query string says it."""

    preset: str = DEFAULT_PRESET
    start: datetime | None = None
    end: datetime | None = None
    group: str = "service"
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def follows_now(self) -> bool:
        return self.start is None or self.end is None

    def window(self, now: datetime) -> Window:
        """The window to show at this moment."""
        if self.start is not None and self.end is not None:
            return Window(self.start, self.end)
        length = PRESETS[self.preset]
        step = length / STEPS_AHEAD
        end = datetime.fromtimestamp((now.timestamp() // step.total_seconds() + 2) * step.total_seconds(), UTC)
        return Window(end - length, end)

    def filters(self, services: Mapping[UUID, str]) -> Filters:
        """Names of services become ids; a name that is gone matches nothing, rather than everything."""
        wanted = {name.lower() for name in self.services}
        ids = tuple(id_ for id_, name in services.items() if name.lower() in wanted)
        return Filters(
            services=ids or ((UUID(int=0),) if wanted else ()),
            environments=self.environments,
            branch=self.texts.get("branch", ""),
            author=self.texts.get("author", ""),
            text=self.texts.get("q", ""),
        )

    def query(self) -> str:
        """The query string, `?` included, without what is default."""
        pairs: dict[str, str] = {}
        if self.start is not None and self.end is not None:
            pairs |= {"from": _text(self.start), "to": _text(self.end)}
        elif self.preset != DEFAULT_PRESET:
            pairs["range"] = self.preset
        if self.group != "service":
            pairs["group"] = self.group
        pairs |= {name: SEPARATOR.join(v) for name, v in (("service", self.services), ("env", self.environments)) if v}
        pairs |= {name: text for name, text in self.texts.items() if text}
        return f"?{urlencode(pairs)}" if pairs else ""

    def toggled(self, what: str, value: str) -> Address:
        """With a service or environment added, or removed where it was there."""
        now: tuple[str, ...] = getattr(self, what)
        changed = tuple(v for v in now if v != value) if value in now else (*now, value)
        return replace(self, services=changed) if what == "services" else replace(self, environments=changed)

    def with_text(self, name: str, text: str) -> Address:
        return replace(self, texts={**self.texts, name: text.strip()[:200]})

    def with_window(self, start_ms: float, end_ms: float) -> Address:
        """With a window in milliseconds since 1970, put right where it is impossible."""
        try:
            start, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (start_ms, end_ms))
        except (OverflowError, ValueError, OSError):
            return self
        span = _possible(start, end)
        return replace(self, start=span[0], end=span[1])

    def chips(self) -> list[dict[str, str]]:
        """The filters in force, each with what to say and what to drop."""
        found = [{"kind": "services", "value": v, "label": f"Service: {v}"} for v in self.services]
        found += [{"kind": "environments", "value": v, "label": f"Environment: {v}"} for v in self.environments]
        words = {"branch": "Branch", "author": "By", "q": "Text"}
        found += [{"kind": n, "value": t, "label": f"{words[n]}: {t}"} for n, t in self.texts.items() if t]
        return found


def read_address(query: Mapping[str, str]) -> Address:
    """Read a query string; whatever does not fit falls back to its default."""
    start = end = None
    if query.get("from") and query.get("to"):
        try:
            first, last = (datetime.fromisoformat(query[name]) for name in ("from", "to"))
            start, end = _possible(first, last) if first.tzinfo and last.tzinfo else (None, None)
        except (ValueError, OverflowError):
            start = end = None
    preset = query.get("range", "")
    return Address(
        preset=preset if preset in PRESETS else DEFAULT_PRESET,
        group="environment" if query.get("group") == "environment" else "service",
        services=_many(query.get("service", "")),
        environments=_many(query.get("env", "")),
        texts={name: query[name].strip()[:200] for name in TEXT_FIELDS if query.get(name, "").strip()},
        start=start,
        end=end,
    )


def _possible(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The window, or the nearest one of a length that can be shown."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if not SHORTEST <= end - start <= LONGEST:
        middle = start + (end - start) / 2
        half = min(max(end - start, SHORTEST), LONGEST) / 2
        start, end = middle - half, middle + half
    return start.replace(microsecond=0), end.replace(microsecond=0)


def _many(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part[:200] for part in text.split(SEPARATOR) if part))[:20]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
