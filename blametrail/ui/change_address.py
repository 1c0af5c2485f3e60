"""The address of the page of changes is its state: what is searched for, read from a query string and written to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from blametrail.changes.search import ChangeQuery
from blametrail.kit.clock import parse_iso

RANGES = {
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "90d": ("Last 90 days", timedelta(days=90)),
}
TEXTS = {"q": "Text", "path": "Path", "author": "By", "label": "Label", "repository": "Repository", "service": "Service"}
LONGEST = 200


@dataclass(frozen=True, slots=True)
class ChangeAddress:
    """What is asked for. `span` is one of RANGES; without it, `start` and `end` bound the time where they are there."""

    texts: Mapping[str, str] = field(default_factory=dict)
    span: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def asks(self, services: Mapping[UUID, str], now: datetime) -> ChangeQuery:
        """The question at this moment; a service whose name is gone has nothing, rather than everything."""
        named = self.texts.get("service", "").lower()
        service_id = next((id_ for id_, name in services.items() if name.lower() == named), UUID(int=0)) if named else None
        return ChangeQuery(
            text=self.texts.get("q", ""),
            path=self.texts.get("path", ""),
            author=self.texts.get("author", ""),
            label=self.texts.get("label", ""),
            repository=self.texts.get("repository", ""),
            service_id=service_id,
            start=now - RANGES[self.span][1] if self.span else self.start,
            end=None if self.span else self.end,
        )

    def query(self) -> str:
        """The query string, `?` included, without what is not asked."""
        pairs = {name: self.texts[name] for name in TEXTS if self.texts.get(name)}
        times = {"from": self.start, "to": self.end}
        pairs |= {"range": self.span} if self.span else {name: _text(at) for name, at in times.items() if at}
        return f"?{urlencode(pairs)}" if pairs else ""

    def with_text(self, name: str, text: str) -> ChangeAddress:
        return replace(self, texts={**self.texts, name: text.strip()[:LONGEST]}) if name in TEXTS else self

    def with_span(self, span: str) -> ChangeAddress:
        return replace(self, span=span if span in RANGES else "", start=None, end=None)

    def chips(self) -> list[dict[str, str]]:
        """The filters in force, each with what to say and what to drop; the text stands in its field."""
        found = [(name, f"{word}: {self.texts[name]}") for name, word in TEXTS.items() if name != "q" and self.texts.get(name)]
        if self.span:
            found.append(("range", RANGES[self.span][0]))
        elif self.start or self.end:
            bounds = [f"from {_text(self.start)}" if self.start else "", f"to {_text(self.end)}" if self.end else ""]
            found.append(("range", "Merged " + " ".join(bounds).strip()))
        return [{"kind": kind, "label": label} for kind, label in found]

    @property
    def is_filtered(self) -> bool:
        return bool(self.query())


def read_change_address(query: Mapping[str, str]) -> ChangeAddress:
    """Read a query string; whatever does not fit is as if it were not there."""
    span = query.get("range", "")
    return ChangeAddress(
        texts={name: text for name in TEXTS if (text := query.get(name, "").strip()[:LONGEST])},
        span=span if span in RANGES else "",
        start=_moment(query.get("from", "")),
        end=_moment(query.get("to", "")),
    )


def _moment(text: str) -> datetime | None:
    try:
        return parse_iso(text)
    except ValueError:
        return None


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
