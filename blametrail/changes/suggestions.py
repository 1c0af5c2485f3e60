"""What a search may offer: the people and labels of the changes merged last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import col, select

from blametrail.changes.tables import ChangeDocument
from blametrail.kit.db import ScopedSession

LOOKED_AT = 500
MOST = 50


@dataclass(frozen=True, slots=True)
class Suggestions:
    """The most frequent first."""

    authors: tuple[str, ...]
    labels: tuple[str, ...]


def suggestions(session: ScopedSession) -> Suggestions:
    """Out of the changes merged last."""
    fields = select(ChangeDocument.author, ChangeDocument.labels)
    rows = session.exec(fields.order_by(col(ChangeDocument.merged_at).desc()).limit(LOOKED_AT)).all()
    return Suggestions(
        _frequent(author for author, _ in rows), _frequent(label for _, labels in rows for label in labels.split("\n"))
    )


def _frequent(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name, _ in Counter(filter(None, names)).most_common(MOST))
