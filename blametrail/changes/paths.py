"""Paths as people ask for them: the begin of one, or all of one with `*` and `?`; without case."""

from __future__ import annotations

import re

MOST_STARS = 3
"""What follows further ones is not asked for: each multiplies the ways that a database tries."""

ESCAPE = "\\"


class PathPattern:
    """Whether a path is meant, as a question to a database and as one to Python."""

    def __init__(self, text: str) -> None:
        pieces = re.split(r"\*+", text.strip().lstrip("/").lower())
        self._pieces = [*pieces[:MOST_STARS], ""] if len(pieces) > MOST_STARS + 1 else pieces
        if len(pieces) == 1 and "?" not in pieces[0]:
            self._pieces = [pieces[0], ""]

    @property
    def like(self) -> str:
        """A pattern of LIKE, with ESCAPE."""
        return "%".join(escaped(piece).replace("?", "_") for piece in self._pieces)

    def fits(self, path: str) -> bool:
        """Piece by piece from the left, so that no path takes long."""
        path, (first, *rest) = path.lower(), self._pieces
        begin = _literal(first).match(path)
        if begin is None:
            return False
        if not rest:
            return begin.end() == len(path)
        at, last = begin.end(), len(path) - len(rest[-1])
        for piece in rest[:-1]:
            found = _literal(piece).search(path, at)
            if found is None:
                return False
            at = found.end()
        return at <= last and _literal(rest[-1]).fullmatch(path, last) is not None


def escaped(text: str) -> str:
    """Text that a pattern of LIKE takes as it is."""
    return text.replace(ESCAPE, ESCAPE * 2).replace("%", f"{ESCAPE}%").replace("_", f"{ESCAPE}_")


def _literal(piece: str) -> re.Pattern[str]:
    return re.compile(re.escape(piece).replace(r"\?", "."), re.DOTALL)
