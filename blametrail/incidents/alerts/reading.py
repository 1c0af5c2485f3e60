"""Read JSON that others wrote: every value is what it should be, or empty."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from blametrail.incidents.alerts.shapes import UnreadableAlert
from blametrail.incidents.reports import Symptom
from blametrail.incidents.states import Severity

LONGEST_LINE, LONGEST_TEXT = 300, 20_000
LONGEST_FINGERPRINT, LONGEST_LABEL, MOST_LABELS = 200, 500, 60
EARLIEST_YEAR = 2000
"""Before it lie the zero times of Go and of others, which mean that there is none."""

WORDS: dict[Severity, frozenset[str]] = {
    Severity.CRITICAL: frozenset({"critical", "crit", "page", "fatal", "emergency", "disaster", "p1", "sev1", "1"}),
    Severity.ERROR: frozenset({"error", "err", "major", "high", "alert", "p2", "sev2", "2"}),
    Severity.WARNING: frozenset({"warning", "warn", "minor", "average", "medium", "ticket", "p3", "sev3", "3"}),
    Severity.INFO: frozenset(
        {"info", "information", "notice", "debug", "none", "low", "ok", "p4", "p5", "sev4", "sev5", "4", "5"}
    ),
}
TRACE = re.compile(
    r"^(?:Traceback \(most recent call last\):|panic: |goroutine \d|\s+at \S.{0,300}[:)]|\s+File \".{1,300}\", line \d)",
    re.MULTILINE,
)


def decode(body: bytes) -> Any:
    """The JSON of a message; raises UnreadableAlert."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableAlert("The body is no JSON.") from None


def an_object(value: Any, name: str) -> Mapping[str, Any]:
    """It, when it is an object; raises UnreadableAlert."""
    if not isinstance(value, dict):
        raise UnreadableAlert(f"{name} must be an object.")
    return value


def objects(value: Any, name: str) -> list[Mapping[str, Any]]:
    """It, when it is a list of objects; raises UnreadableAlert."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise UnreadableAlert(f"{name} must be a list of objects.")
    return value


def part(value: Any, *path: str) -> Any:
    """What lies at a path of names, None when it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Text and numbers as text that any database keeps; all else is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}").strip()[:longest]


def line(*values: Any) -> str:
    """The first of these that says something, on one line."""
    return next((" ".join(found.split()) for value in values if (found := text(value, LONGEST_LINE))), "")


def link(*values: Any) -> str:
    """The first of these that is an address of the web."""
    return next((found for value in values if (found := text(value, 2_000)).startswith(("https://", "http://"))), "")


def labels_of(pairs: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Names and values, those without either left out."""
    named = ((text(name, LONGEST_LABEL), text(value, LONGEST_LABEL)) for name, value in pairs)
    return dict([(name, value) for name, value in named if name and value][:MOST_LABELS])


def moment(value: Any) -> datetime | None:
    """A time in ISO 8601, or seconds or milliseconds since 1970; None when there is none."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"\d{9,14}(?:\.\d{1,9})?", value):
            read = datetime.fromisoformat(value.strip())
            read = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and math.isfinite(float(value)):
            seconds = float(value) / (1_000 if float(value) > 1e11 else 1)
            read = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return read if read.year >= EARLIEST_YEAR else None


def severity_of(*words: Any, otherwise: Severity = Severity.ERROR) -> Severity:
    """What the first known word means. An alert that says nothing of how bad it is opens at once."""
    for word in words:
        known = next((severity for severity, names in WORDS.items() if text(word, 30).lower() in names), None)
        if known:
            return known
    return otherwise


def fingerprint_of(*parts: Any) -> str:
    """What tells one thing from another: one short part as it is, else a hash of all."""
    if len(parts) == 1 and 0 < len(alone := text(parts[0], LONGEST_FINGERPRINT + 1)) <= LONGEST_FINGERPRINT:
        return alone
    written = json.dumps([part if isinstance(part, str) else repr(part) for part in parts])
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def symptom_of(*, said: Any = "", error: Any = "", trace: Any = "", endpoint: Any = "") -> Symptom:
    """A symptom; where no stack trace is given, one that stands in what is said."""
    trace, said = text(trace), text(said)
    if not trace and (found := TRACE.search(said)):
        trace = said[found.start() :]
    return Symptom(error_message=text(error), stack_trace=trace, endpoint=line(endpoint))
