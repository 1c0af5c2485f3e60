"""Query parameters of a request, each parsed; what is wrong with any of them is told at once, by name."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from blametrail.kit.clock import parse_iso
from blametrail.kit.errors import Invalid

LONGEST = 255
LONGEST_CURSOR = 2_000
MOST_TOLD = 20
BAD_CURSOR = "is none that this address answered; leave it out to begin with the first page"

_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")  # in a query, a plus that is not escaped means a space


class Parameters:
    """Read them one by one, then `check`: it raises Invalid naming each that is wrong, or that is not known."""

    def __init__(self, request: Request, known: Iterable[str]) -> None:
        names = tuple(known)
        self.wrong: dict[str, str] = {}
        self._given: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name not in names:
                takes = f"it takes {', '.join(names)}" if names else "it takes none"
                self.wrong[name[:LONGEST]] = f"is not a parameter of this address; {takes}"
            elif name in self._given:
                self.wrong[name] = "is given more than once"
            elif "\0" in value:
                self.wrong[name] = "must not contain NUL characters"
            self._given.setdefault(name, value)

    def check(self) -> None:
        if self.wrong:
            raise Invalid(dict(list(self.wrong.items())[:MOST_TOLD]))

    def text(self, name: str, longest: int = LONGEST) -> str:
        """What was given, without spaces around it; empty when nothing was."""
        value = self._given.get(name, "").strip()
        if len(value) > longest:
            self._fault(name, f"must have at most {longest} characters")
        return value if name not in self.wrong else ""

    def choice(self, name: str, options: Iterable[str]) -> str:
        """One of the options, or empty."""
        value = self.text(name)
        if value and value not in options:
            self._fault(name, f"must be one of {', '.join(options)}")
        return value

    def number(self, name: str, default: int, most: int) -> int:
        value = self.text(name) or str(default)
        if len(value) > 9 or not (value.isascii() and value.isdecimal()) or not 1 <= int(value) <= most:
            self._fault(name, f"must be a number from 1 to {most}")
            return default
        return int(value)

    def time(self, name: str) -> datetime | None:
        """A moment with its zone, or None when none was given."""
        value = self.text(name)
        try:
            return parse_iso(_LOST_PLUS.sub(r"\1+\2", value)) if value else None
        except ValueError as error:
            self._fault(name, str(error))
            return None

    def time_or(self, name: str, default: datetime) -> datetime:
        return self.time(name) or default

    def needed_time(self, name: str, default: datetime) -> datetime:
        """A moment that must be given; `default` stands in for one that is wrong, until `check`."""
        if not self.text(name):
            self._fault(name, "is required")
        return self.time_or(name, default)

    def cursor(self, name: str, parts: int) -> tuple[str, ...]:
        """What `cursor_of` was given, or nothing on the first page."""
        value = self.text(name, LONGEST_CURSOR)
        try:
            found = json.loads(base64.urlsafe_b64decode(value.encode())) if value else []
        except (ValueError, binascii.Error, RecursionError):
            found = None
        if value and not (isinstance(found, list) and len(found) == parts and all(isinstance(part, str) for part in found)):
            self._fault(name, BAD_CURSOR)
            return ()
        return tuple(found or ())

    def moment_and_id(self, name: str) -> tuple[datetime, UUID] | None:
        """A cursor made of these two."""
        found = self.cursor(name, 2)
        try:
            return (parse_iso(found[0]), UUID(found[1])) if found else None
        except ValueError:
            self._fault(name, BAD_CURSOR)
            return None

    def _fault(self, name: str, why: str) -> None:
        self.wrong.setdefault(name, why)


def cursor_of(*parts: str) -> str:
    """An opaque text for the place where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
