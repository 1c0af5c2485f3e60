"""Parameters of a request, each parsed; what is wrong with any of them is told at once, by name."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from blametrail.api.operations import Parameter
from blametrail.kit.clock import parse_iso
from blametrail.kit.errors import Invalid

LONGEST = 255
LONGEST_CURSOR = 2_000
MOST_TOLD = 20
BAD_CURSOR = "is none that this address answered; leave it out to begin with the first page"

_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")  # in a query, a plus that is not escaped means a space


class Parameters:
    """Read them one by one, then `check`: it raises Invalid naming each that is wrong, or that is not known."""

    def __init__(self, request: Request, known: Iterable[Parameter]) -> None:
        self.wrong: dict[str, str] = {}
        self._known = tuple(known)
        self._given: dict[str, str] = {name: str(value) for name, value in request.path_params.items()}
        names = [one.name for one in self._known if one.place == "query"]
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

    def text(self, one: Parameter) -> str:
        """What was given, without spaces around it; empty when nothing was."""
        assert one in self._known, f"{one.name} is not told of"
        value = self._given.get(one.name, "").strip()
        longest = one.schema.get("maxLength", LONGEST)
        if len(value) > longest:
            self.fault(one, f"must have at most {longest} characters")
        if one.is_required and not value:
            self.fault(one, "is required")
        return value if one.name not in self.wrong else ""

    def choice(self, one: Parameter) -> str:
        """One of the options, or empty."""
        value = self.text(one)
        if value and value not in one.schema["enum"]:
            self.fault(one, f"must be one of {', '.join(one.schema['enum'])}")
        return value

    def number(self, one: Parameter) -> int:
        default, most = one.schema["default"], one.schema["maximum"]
        value = self.text(one) or str(default)
        if len(value) > 9 or not (value.isascii() and value.isdecimal()) or not 1 <= int(value) <= most:
            self.fault(one, f"must be a number from 1 to {most}")
            return int(default)
        return int(value)

    def id(self, one: Parameter) -> UUID:
        """An id in the path."""
        try:
            return UUID(self.text(one))
        except ValueError:
            self.fault(one, "must be an id, such as 0193f6b2-0000-4000-8000-00000000000a")
            return UUID(int=0)

    def time(self, one: Parameter) -> datetime | None:
        """A moment with its zone, or None when none was given."""
        value = self.text(one)
        try:
            return parse_iso(_LOST_PLUS.sub(r"\1+\2", value)) if value else None
        except ValueError as error:
            self.fault(one, str(error))
            return None

    def time_or(self, one: Parameter, default: datetime) -> datetime:
        """A moment, or `default`; that stands in for one that is wrong or missing, too, until `check`."""
        return self.time(one) or default

    def cursor(self, one: Parameter, parts: int) -> tuple[str, ...]:
        """What `cursor_of` was given, or nothing on the first page."""
        value = self.text(one)
        try:
            found = json.loads(base64.urlsafe_b64decode(value.encode())) if value else []
        except (ValueError, binascii.Error, RecursionError):
            found = None
        if value and not (isinstance(found, list) and len(found) == parts and all(isinstance(part, str) for part in found)):
            self.fault(one, BAD_CURSOR)
            return ()
        return tuple(found or ())

    def moment_and_id(self, one: Parameter) -> tuple[datetime, UUID] | None:
        """A cursor made of these two."""
        found = self.cursor(one, 2)
        try:
            return (parse_iso(found[0]), UUID(found[1])) if found else None
        except ValueError:
            self.fault(one, BAD_CURSOR)
            return None

    def cursor_that(self, is_readable: Callable[[str], object], one: Parameter) -> str:
        """A cursor that a feature made, as it is."""
        (value,) = self.cursor(one, 1) or ("",)
        if value and not is_readable(value):
            self.fault(one, BAD_CURSOR)
        return value

    def fault(self, one: Parameter, why: str) -> None:
        self.wrong.setdefault(one.name, why)


def cursor_of(*parts: str) -> str:
    """An opaque text for the place where a page ended."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()
