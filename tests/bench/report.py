"""Numbers with their goals."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    missed: list[str] = field(default_factory=list)

    def line(self, what: str, value: float, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> None:
        """Print one number; a missed goal is remembered."""
        met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        goal = f"goal ≤ {at_most:g}" if at_most is not None else f"goal ≥ {at_least:g}" if at_least is not None else ""
        print(f"{what:<58} {value:>10.2f} {unit:<6} {goal:<14} {'' if met else 'MISSED'}".rstrip(), flush=True)
        if not met:
            self.missed.append(what)

    def end(self) -> int:
        print(f"missed: {', '.join(self.missed)}" if self.missed else "every goal is met")
        return 1 if self.missed else 0
