"""Which statuses of HTTP are expected: one, a range, or several of either."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PART = re.compile(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?")


@dataclass(frozen=True, slots=True)
class Expected:
    """Ranges, both ends included."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def from_text(cls, text: str) -> Expected:
        """From `200`, `200-299` or `200, 301-303`; raises ValueError."""
        ranges = []
        for part in text.split(","):
            found = _PART.fullmatch(part.strip())
            if found is None or (found[2] and int(found[2]) < int(found[1])):
                raise ValueError("must be a status such as 200, a range such as 200-299, or several separated by commas")
            ranges.append((int(found[1]), int(found[2] or found[1])))
        return cls(tuple(ranges))

    def __contains__(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.ranges)

    def __str__(self) -> str:
        return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in self.ranges)
