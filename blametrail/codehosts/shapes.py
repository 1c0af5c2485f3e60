"""JSON of code hosts, taken apart: what is not shaped as it must be raises BadAnswer, and text is what any database stores."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any

from blametrail.codehosts.host import BadAnswer
from blametrail.kit.clock import parse_iso

LARGEST_NUMBER, LARGEST_ID = 2**31 - 1, 2**63 - 1

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
Object = dict[str, Any]


def an_object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise wrong("an object")
    return value


def a_list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise wrong(name)
    return value


def text(given: Object, key: str) -> str:
    """A text that must be there."""
    value = given.get(key)
    if not isinstance(value, str):
        raise wrong(key)
    return _UNSTORABLE.sub("\ufffd", value)


def word(given: Object, key: str) -> str:
    """A text that may be missing or null: then nothing."""
    return text(given, key) if given.get(key) is not None else ""


def number(given: Object, key: str, most: int = LARGEST_NUMBER) -> int:
    value = given.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise wrong(key)
    return value


def flag(given: Object, key: str) -> bool:
    """Whether something is so; older versions do not speak of all that newer ones do."""
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise wrong(key)
    return value


def moment(given: Object, key: str, zone: tzinfo | None = None) -> datetime:
    """A time of any zone; one that names none is of `zone`, if that is given."""
    try:
        return parse_iso(text(given, key), zone)
    except ValueError:
        raise wrong(key) from None


def any_moment(given: Object, key: str) -> datetime | None:
    """A time that people's machines wrote into a commit, however wrong it is."""
    try:
        return parse_iso(word(given, key))
    except ValueError:
        return None


def sha(given: Object, key: str) -> str:
    value = text(given, key)
    if not _SHA.fullmatch(value):
        raise wrong(key)
    return value


def link(given: Object, key: str) -> str:
    """A page for people; nothing when it is no address that a page of ours may lead to."""
    url = word(given, key)
    return url if url.startswith(("https://", "http://")) else ""


def wrong(what: str) -> BadAnswer:
    return BadAnswer(
        f"The answer is not shaped as this code host's are ({what}).",
        "Check that the connection's address is that of the host.",
    )
