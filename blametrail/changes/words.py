"""Words to search by, the same for each database: text is cut as code is written, without case and accents.

An identifier is known by its parts and as a whole: `retryPolicy`, `retry_policy` and `retry-policy` are found by
`retry`, by `policy` and by each other, the first two by `retrypolicy` too. `#123` is a word of its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

LONGEST_WORD = 60
MOST_TERMS, LONGEST_TEXT = 8, 300
SHORTEST_OPEN = 2
"""Letters of a word that may go on; with one, nearly everything would fit."""

_IDENTIFIER = re.compile(r"[#!](?=\d)\d+(?!\w)|\w+")
_HUMPS = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_REFERENCE = re.compile(r"[#!]\d{1,12}")
_TERM = re.compile(r'"([^"]*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Term:
    """What one word of a query asks for: the parts in a row, or the whole. With `is_open` the last may go on."""

    parts: tuple[str, ...]
    whole: str
    is_open: bool

    @property
    def ways(self) -> tuple[tuple[str, ...], ...]:
        """Rows of words, any of which will do."""
        ways = ((self.whole,),) if not self.parts else (self.parts, (self.whole,))
        return tuple(dict.fromkeys(way for way in ways if all(way)))


def words_of(text: str, most: int) -> list[str]:
    """At most so many words of a text: parts in their order, then the wholes of what has several."""
    wholes: dict[str, None] = {}
    words: list[str] = []
    for found in islice(_IDENTIFIER.finditer(_plain(text)), most):
        parts, whole = _cut(found.group())
        words += parts
        if parts and (whole,) != parts:
            wholes[whole] = None
    return [*words[:most], *wholes][: 2 * most]


def terms_of(text: str) -> tuple[Term, ...]:
    """What a person's text asks for, every term of it; of quoted text, its words in a row. The last word may go on."""
    found = [(quoted, bare) for quoted, bare in _TERM.findall(text[:LONGEST_TEXT]) if _IDENTIFIER.search(quoted or bare)]
    terms = []
    for quoted, bare in found[:MOST_TERMS]:
        term = _term(quoted or bare)
        if term.ways:
            terms.append(term)
    if terms and found[-1][1] and len(found) <= MOST_TERMS:
        last = terms[-1]
        terms[-1] = Term(last.parts, last.whole, bool(last.parts) and len(last.parts[-1]) >= SHORTEST_OPEN)
    return tuple(dict.fromkeys(terms))


def _term(text: str) -> Term:
    if _REFERENCE.fullmatch(text):
        return Term((), _cut(text)[1], False)
    cut = [_cut(found) for found in _IDENTIFIER.findall(_plain(text))]
    return Term(tuple(part for parts, _ in cut for part in parts), cut[0][1] if len(cut) == 1 else "", False)


def _cut(identifier: str) -> tuple[tuple[str, ...], str]:
    """The parts of an identifier, and all of them as one word."""
    if identifier[0] in "#!":
        return (identifier[1:][:LONGEST_WORD],), f"number{identifier[1:]}"[:LONGEST_WORD]
    if identifier.islower() and "_" not in identifier:
        return (identifier.casefold()[:LONGEST_WORD],), identifier.casefold()[:LONGEST_WORD]
    parts = tuple(part.casefold()[:LONGEST_WORD] for part in _HUMPS.split(identifier) if part)
    return parts, "".join(parts)[:LONGEST_WORD]


def _plain(text: str) -> str:
    """Without accents, ligatures and the like; capitals stay, for they begin words."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, and whether it is what was searched for."""

    text: str
    is_match: bool


def highlighted(text: str, terms: Sequence[Term]) -> tuple[Piece, ...]:
    """A text in stretches, those that match a term marked."""
    pieces, end = [], 0
    for start, stop in _matches(text, terms):
        pieces += [Piece(text[end:start], False), Piece(text[start:stop], True)]
        end = stop
    return tuple(piece for piece in (*pieces, Piece(text[end:], False)) if piece.text)


def excerpt(text: str, terms: Sequence[Term], length: int = 200) -> tuple[Piece, ...]:
    """The stretch of a long text around the first match, highlighted; nothing when none matches."""
    line = " ".join(text.split())
    first = next(_matches(line, terms), None)
    if first is None:
        return ()
    start = max(0, first[0] - length // 3)
    cut = line[start : start + length]
    return highlighted(("…" if start else "") + cut + ("…" if start + length < len(line) else ""), terms)


def _matches(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    patterns = [pattern for term in terms if (pattern := _pattern(term))]
    if patterns:
        yield from (found.span() for found in re.finditer("|".join(patterns), text))


def _pattern(term: Term) -> str:
    """Where a term stands in text as people wrote it: at the begin of a word or of a hump."""
    if not term.parts:
        return rf"[#!]{re.escape(term.whole.removeprefix('number'))}(?!\d)"
    parts = r"[\W_]{0,3}".join(re.escape(part) for part in term.parts)
    end = "" if term.is_open else r"(?![^\W_])|"
    begin = r"(?:(?<![^\W_])|(?<=[a-z0-9])(?=[A-Z]))"
    return rf"{begin}(?i:{parts})" + (rf"(?:{end}(?=[A-Z]))" if end else "")
