"""Secrets out of text before it is kept, logged or shown.

Clients choose this text, so every pattern has to be linear: repeats that can fail late are bounded or possessive.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "•••"
DEEPEST = 8

# Token shapes that their makers publish, and ours. Not `\b` in front: it does not hold after an underscore.
# The look-ahead for a capital or a digit lets names such as `alt_text_for_all_images` stand.
_SHAPES = re.compile(
    r"""(?x)
    (?<![A-Za-z0-9])(?:
        (?:(?:bt|dpl|alt|inv|ses|org)_|glpat-|pypi-|sk-)(?=[a-z_-]{0,60}[A-Z0-9])[A-Za-z0-9_-]{16,}+
        | gh[pousr]_[A-Za-z0-9]{20,}+
        | github_pat_[A-Za-z0-9_]{20,}+
        | npm_[A-Za-z0-9]{20,}+
        | [sr]k_(?:live|test)_[A-Za-z0-9]{8,}+
        | whsec_[A-Za-z0-9+/=]{16,}+
        | xox[a-z]-[A-Za-z0-9-]{10,}+
        | AIza[A-Za-z0-9_-]{30,}+
        | SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+
        | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
        | eyJ(?:(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,}+|[A-Za-z0-9_-]{8,500}+)\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?
        | https?://hooks\.slack(?:-gov)?\.com/[a-z]{1,20}/[^\s"'<>\\]++
        | (?i:bearer)\s{1,4}(?:(?=[a-z._~+/=-]{0,60}[A-Z0-9])[A-Za-z0-9._~+/=-]{8,}+|[A-Za-z0-9._~+/=-]{24,}+)
    )
    | -----BEGIN[ A-Z]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----.*?(?:-----END[ A-Z]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----|\Z)
    | (?<=://)[^/\s:@]{0,300}:[^/\s@]{1,300}(?=@)
    """,
    re.DOTALL,
)

# Words that make the name of a value secret, wherever they stand in it; `tokenizer` and `secretary` do not.
_WORDS = (
    r"(?:secret(?!ar)|passw(?:or)?d|passphrase|token(?!i[sz])|(?:private|api|access|signing|encryption)[-_.]?key"
    r"|authorization|cookie|credential)"
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)

# `name: value` and `name=value`, and pairs of headers. Backslashes: JSON inside a JSON string.
_NAMED = re.compile(
    rf"""(?xi)
    (?: {_WORDS}[-.\w]{{0,80}}+ \\{{0,16}}+ ["']? \s{{0,20}}+ (?::(?!:)|=)>?
      | (?:cookie|authorization|token)["'] \s{{0,4}}+ , )
    \s{{0,20}}+
    (?=(?P<value>[^\s,;}}\]]))
    """
)
# The same backslashes that opened a string close it; with more of them, the quote is inside.
_STRING = r"""b?(?P<quote>\\{0,16}+["'])(?:(?!(?<!\\)(?P=quote))[^\r\n])*+"""
_QUOTED = re.compile(_STRING)
_UNQUOTED = re.compile(r"""[^"'\r\n}]++""")
_PIECE = re.compile(rf"""{_STRING}(?:(?P=quote))?|(?P<open>[\[{{])|(?P<close>[\]}}])|[^"'\\\[\]{{}}b]++|.""", re.DOTALL)

_STATE_TOKEN = re.compile(r"(?i)(\bclient\s['\"]?)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def redact(text: str) -> str:
    """The text with everything that looks like a secret masked."""
    return _mask_named(_SHAPES.sub(MASK, _STATE_TOKEN.sub(rf"\1{MASK}", text)))


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: every value of a log line, whatever its depth."""
    return {key: _clean_item(key, value, DEEPEST) for key, value in event.items()}


def _mask_named(text: str) -> str:
    parts, position = [], 0
    while found := _NAMED.search(text, position):
        start, end = _value(text, found.end())
        parts += [text[position:start], MASK]
        position = end
    return "".join([*parts, text[position:]])


def _value(text: str, start: int) -> tuple[int, int]:
    """From where to where the secret value goes that begins at this place."""
    if quoted := _QUOTED.match(text, start):
        return quoted.end("quote"), quoted.end()
    if text[start] in "{[":
        return start, _end_of_container(text, start)
    unquoted = _UNQUOTED.match(text, start)
    return start, unquoted.end() if unquoted else start + 1


def _end_of_container(text: str, start: int) -> int:
    """Behind the bracket that closes the one at this place; the end of the text when none does."""
    depth = 0
    for piece in _PIECE.finditer(text, start):
        depth += bool(piece["open"]) - bool(piece["close"])
        if depth == 0:
            return piece.end()
    return len(text)


def _clean_item(name: Any, value: Any, depth: int) -> Any:
    is_secret = value is not None and not isinstance(value, bool) and _SECRET_NAME.search(str(name))
    return MASK if is_secret else _clean(value, depth)


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict) and depth:
        return {redact(str(key)): _clean_item(key, item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_clean(item, depth - 1) for item in value]
    return redact(str(value))  # whatever it is, the line would have its words
