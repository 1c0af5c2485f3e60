"""Search merged pull requests: by words, and by path, author, service, repository, label and time.

A change where every word is in the title comes before one where labels, author and paths are needed, and that before
one where the body is; among equals the one merged last is first. How rare a word is counts for nothing: it would be
counted over all organizations, and at an incident the newer change is the likelier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, func, literal, or_, text, tuple_
from sqlmodel import col, select

from blametrail.catalog.tables import ServiceRepository
from blametrail.changes.index import organization_word
from blametrail.changes.paths import ESCAPE, PathPattern, escaped
from blametrail.changes.tables import ChangeDocument
from blametrail.changes.views import ChangeView, change_views
from blametrail.changes.words import Term, terms_of
from blametrail.codehosts.tables import PullRequestFile
from blametrail.kit.db import ScopedSession

PAGE, MOST_PAGE = 20, 100
MOST_COUNTED = 1_000
MOST_MATCHES = 20_000
"""Of documents that have the words, those learned last; what more of them hold says nothing."""


@dataclass(frozen=True, slots=True)
class ChangeQuery:
    """What to look for; what is empty is not asked. `path` is the begin of a path, or all of it where it has `*` or `?`;
    `author` and `repository` are parts of names, `label` is a whole one; times are inclusive."""

    text: str = ""
    path: str = ""
    author: str = ""
    service_id: UUID | None = None
    repository: str = ""
    label: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """The best first; `next_cursor` is empty on the last page. `count` stops at MOST_COUNTED."""

    changes: tuple[ChangeView, ...]
    count: int
    next_cursor: str


def search_changes(session: ScopedSession, query: ChangeQuery, cursor: str = "", limit: int = PAGE) -> ChangePage:
    """A page of the changes that fit, in a session of one organization; an unreadable cursor starts at the first page.
    Whatever the text, nothing in it is syntax; text without a letter or digit finds nothing."""
    terms = terms_of(query.text)
    if query.text.strip() and not terms:
        return ChangePage((), 0, "")
    limit = max(1, min(limit, MOST_PAGE))
    found = _found(session, query, terms)
    place = (found.c.rank, found.c.merged_at, found.c.pull_request_id)
    page = select(*place).order_by(*(part.desc() for part in place))
    if after := _from_cursor(cursor):
        page = page.where(tuple_(*place) < after)
    rows = [tuple(row) for row in session.exec(page.limit(limit + 1))]
    return ChangePage(
        changes=change_views(session, [id_ for _, _, id_ in rows[:limit]], terms, query.path),
        count=session.exec(select(func.count()).select_from(select(place[2]).limit(MOST_COUNTED).subquery())).one(),
        next_cursor=_cursor(*rows[limit - 1]) if len(rows) > limit else "",
    )


def _found(session: ScopedSession, query: ChangeQuery, terms: Sequence[Term]) -> Any:
    """The rank, time and id of everything that fits."""
    fields = (col(ChangeDocument.merged_at), col(ChangeDocument.pull_request_id))
    conditions = _conditions(session, query)
    if not terms:
        return select(literal(0).label("rank"), *fields).where(*conditions).subquery()
    words = _with_words(session, terms)
    ranked = select(words.c.rank, *fields).join_from(ChangeDocument, words, col(ChangeDocument.id) == words.c.id)
    return ranked.where(*conditions).subquery()


_WITH_WORDS = {
    # By columns; a row that is found in the narrowest of them is also found in the wider ones.
    "sqlite": "SELECT id, max(rank) AS rank FROM ("
    + " UNION ALL ".join(
        f"SELECT * FROM (SELECT rowid AS id, {rank} AS rank FROM change_words WHERE change_words MATCH :{part}"  # noqa: S608
        " ORDER BY rowid DESC LIMIT :most)"
        for rank, part in enumerate(("body", "near", "title"))
    )
    + ") GROUP BY id",
    "postgresql": "SELECT id, CASE WHEN words @@ CAST(:title AS tsquery) THEN 2 WHEN words @@ CAST(:near AS tsquery) THEN 1 "
    "ELSE 0 END AS rank FROM change_words WHERE words @@ CAST(:body AS tsquery) ORDER BY id DESC LIMIT :most",
}
_PARTS = {"title": ("title", "A"), "near": ("title near", "AB"), "body": ("title near body", "")}


def _with_words(session: ScopedSession, terms: Sequence[Term]) -> Any:
    """The ids of documents of this organization that have every term, with their rank. The organization is one of the
    words asked for, so that what others have is never looked at."""
    if not isinstance(session.scope, UUID):
        raise PermissionError("changes were about to be searched in all organizations")
    own, dialect = organization_word(session.scope), session.connection().dialect.name
    ask = _fts5 if dialect == "sqlite" else _tsquery
    asked = {part: ask(own, terms, *where) for part, where in _PARTS.items()}
    found = text(_WITH_WORDS[dialect]).bindparams(most=MOST_MATCHES, **asked)
    return found.columns(id=Integer, rank=Integer).subquery()


def _fts5(own: str, terms: Sequence[Term], columns: str, _weights: str) -> str:
    """FTS5's syntax. Each row of words is a string in quotes, and words have no quotes."""
    wanted = [" OR ".join(f'"{" ".join(way)}"{"*" if term.is_open else ""}' for way in term.ways) for term in terms]
    every = " AND ".join(f"({one})" for one in wanted)
    return f'organization : "{own}" AND {{{columns}}} : ({every})'


def _tsquery(own: str, terms: Sequence[Term], _columns: str, weights: str) -> str:
    """PostgreSQL's syntax. Words are letters and digits alone. Without a weight the index answers by itself."""

    def row(way: Sequence[str], is_open: bool) -> str:
        ends = [*(weights for _ in way[1:]), ("*" if is_open else "") + weights]
        return " <-> ".join(f"'{word}'" + (f":{end}" if end else "") for word, end in zip(way, ends, strict=True))

    wanted = [" | ".join(f"({row(way, term.is_open)})" for way in term.ways) for term in terms]
    return " & ".join([f"'{own}'", *(f"({one})" for one in wanted)])


def _conditions(session: ScopedSession, query: ChangeQuery) -> list[Any]:
    d = ChangeDocument
    given = [
        (query.start, lambda: col(d.merged_at) >= query.start),
        (query.end, lambda: col(d.merged_at) <= query.end),
        (query.author, lambda: col(d.author).contains(query.author.strip().lower(), autoescape=True)),
        (query.repository, lambda: col(d.repository).contains(query.repository.strip().lower(), autoescape=True)),
        (query.label, lambda: col(d.labels).contains(f"\n{query.label.strip().lower()}\n", autoescape=True)),
        (query.path, lambda: _has_file(PathPattern(query.path).like)),
        (query.service_id, lambda: _of_service(session, query.service_id)),
    ]
    return [condition() for value, condition in given if value]


def _of_service(session: ScopedSession, service_id: UUID | None) -> Any:
    """In one of the service's repositories, and below its folder there; a change whose files are not known may be."""
    links = session.exec(select(ServiceRepository).where(ServiceRepository.service_id == service_id)).all()
    d = ChangeDocument
    return or_(
        literal(False),
        *(
            and_(
                col(d.host_url) == link.host_url.lower(),
                col(d.repository) == link.path.lower(),
                or_(_has_file(f"{escaped(link.path_prefix)}/%"), ~_has_file("%")) if link.path_prefix else literal(True),
            )
            for link in links
        ),
    )


def _has_file(pattern: str) -> Any:
    f = PullRequestFile
    of_this = select(f.position).where(f.pull_request_id == ChangeDocument.pull_request_id)
    fits = or_(col(f.path).ilike(pattern, escape=ESCAPE), col(f.old_path).ilike(pattern, escape=ESCAPE))
    return of_this.where(fits).correlate(ChangeDocument).exists()


def _cursor(rank: int, merged_at: datetime, id_: UUID) -> str:
    return f"{rank}~{merged_at.isoformat()}~{id_}"


def _from_cursor(cursor: str) -> tuple[int, datetime, UUID] | None:
    try:
        rank, at, id_ = cursor.split("~")
        moment = datetime.fromisoformat(at)
        return (min(int(rank), 9), moment, UUID(id_)) if moment.tzinfo else None
    except ValueError:
        return None
