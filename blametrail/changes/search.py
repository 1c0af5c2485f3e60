"""Search merged pull requests: by words, and by path, author, service, repository, label and time.

A change where every word is in the title comes before one where labels, author and paths are needed, and that before
one where the body is; among equals the one merged last is first. How rare a word is counts for nothing: it would be
counted over all organizations, and at an incident the newer change is the likelier one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, and_, func, literal, or_, text, tuple_
from sqlmodel import col, select

from blametrail.catalog.tables import ServiceRepository
from blametrail.changes.index import organization_word
from blametrail.changes.paths import ESCAPE, PathPattern, escaped
from blametrail.changes.tables import ChangeDocument
from blametrail.changes.views import ChangeView, change_views
from blametrail.changes.words import LONGEST_TEXT, Term, terms_of
from blametrail.codehosts.tables import PullRequestFile
from blametrail.kit.cursors import cursor_of, read_cursor
from blametrail.kit.db import ScopedSession

PAGE, MOST_PAGE = 20, 100
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
MOST_COUNTED = 200
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
    """The best first; `next_cursor` is empty on the last page. `count` is of all pages, up to MOST_COUNTED."""

    changes: tuple[ChangeView, ...]
    count: int
    next_cursor: str


def search_changes(session: ScopedSession, query: ChangeQuery, cursor: str = "", limit: int = PAGE) -> ChangePage:
    """A page of the changes that fit, in a session of one organization; an unreadable cursor starts at the first page.
    Whatever the text, nothing in it is syntax; text without a letter or digit finds nothing."""
    terms = terms_of(query.text)
    if query.text.strip() and not terms:
        return ChangePage((), 0, "")
    limit, after = max(1, min(limit, MOST_PAGE)), _from_cursor(cursor)
    conditions = _conditions(session, query, at_once=not terms)
    places: list[_Place] = []
    for rank in _RANKED if terms else (_Rank.ANY,):
        if len(places) <= limit and (after is None or rank >= after.rank):
            fits = [*conditions, *([_with_words(session, terms, rank)] if terms else [])]
            places += _places(session, fits, rank, after, limit + 1 - len(places))
    is_all = after is None and len(places) <= limit
    return ChangePage(
        changes=change_views(session, [place.id for place in places[:limit]], terms, query.path),
        count=len(places) if is_all else _count(session, _conditions(session, query), terms),
        next_cursor=_cursor(places[limit - 1]) if len(places) > limit else "",
    )


class _Rank(IntEnum):
    """Where the words are: all in the title; with labels, author and paths; with the body. Each without the one before."""

    TITLE = 0
    NEAR = 1
    BODY = 2
    ANY = 3  # for the question of how many there are, and where no words are asked for


_RANKED = (_Rank.TITLE, _Rank.NEAR, _Rank.BODY)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page ends."""

    rank: int
    merged_at: datetime
    id: UUID


def _places(session: ScopedSession, fits: Sequence[Any], rank: _Rank, after: _Place | None, limit: int) -> list[_Place]:
    """Those of a rank, the newest first."""
    place = (col(ChangeDocument.merged_at), col(ChangeDocument.pull_request_id))
    found = select(*place).where(*fits).order_by(*(part.desc() for part in place)).limit(limit)
    if after is not None and after.rank == rank:
        found = found.where(tuple_(*place) < (after.merged_at, after.id))
    return [_Place(rank, *row) for row in session.exec(found)]


def _count(session: ScopedSession, conditions: Sequence[Any], terms: Sequence[Term]) -> int:
    enough = MOST_MATCHES if conditions else MOST_COUNTED
    fits = [*conditions, *([_with_words(session, terms, _Rank.ANY, enough)] if terms else [])]
    some = select(ChangeDocument.id).where(*fits).limit(MOST_COUNTED).subquery()
    return session.exec(select(func.count()).select_from(some)).one()


def _with_words(session: ScopedSession, terms: Sequence[Term], rank: _Rank, most: int = MOST_MATCHES) -> Any:
    """That a document has every term, where the rank says. The organization is one of the words asked for, so that what
    others have is never looked at."""
    if not isinstance(session.scope, UUID):
        raise PermissionError("changes were about to be searched in all organizations")
    dialect = session.connection().dialect.name
    asked = (_fts5 if dialect == "sqlite" else _tsquery)(organization_word(session.scope), terms, rank)
    found = text(_WITH_WORDS[dialect]).bindparams(asked=asked, most=most).columns(id=Integer).subquery()
    return col(ChangeDocument.id).in_(select(found.c.id))


_WITH_WORDS = {
    "sqlite": "SELECT rowid AS id FROM change_words WHERE change_words MATCH :asked ORDER BY rowid DESC LIMIT :most",
    "postgresql": "SELECT id FROM change_words WHERE words @@ CAST(:asked AS tsquery) ORDER BY id DESC LIMIT :most",
}


def _fts5(own: str, terms: Sequence[Term], rank: _Rank) -> str:
    """FTS5's syntax. Each row of words is a string in quotes, and words have no quotes."""
    ways = [" OR ".join(f'"{" ".join(way)}"{"*" if term.is_open else ""}' for way in term.ways) for term in terms]
    every = " AND ".join(f"({one})" for one in ways)
    title, near, anywhere = (f"{{{columns}}} : ({every})" for columns in ("title", "title near", "title near body"))
    return (
        f'organization : "{own}" AND '
        + {
            _Rank.TITLE: title,
            _Rank.NEAR: f"({near} NOT {title})",
            _Rank.BODY: f"({anywhere} NOT {near})",
            _Rank.ANY: anywhere,
        }[rank]
    )


def _tsquery(own: str, terms: Sequence[Term], rank: _Rank) -> str:
    """PostgreSQL's syntax. Words are letters and digits alone. Without a weight the index answers by itself."""

    def row(way: Sequence[str], weights: str, is_open: bool) -> str:
        ends = [*(weights for _ in way[1:]), ("*" if is_open else "") + weights]
        return " <-> ".join(f"'{word}'" + (f":{end}" if end else "") for word, end in zip(way, ends, strict=True))

    def every(weights: str) -> str:
        ways = [" | ".join(f"({row(way, weights, term.is_open)})" for way in term.ways) for term in terms]
        return " & ".join(f"({one})" for one in ways)

    title, near, anywhere = (every(weights) for weights in ("A", "AB", ""))
    return (
        f"'{own}' & "
        + {
            _Rank.TITLE: title,
            _Rank.NEAR: f"{near} & !({title})",
            _Rank.BODY: f"{anywhere} & !({near})",
            _Rank.ANY: anywhere,
        }[rank]
    )


def _conditions(session: ScopedSession, query: ChangeQuery, *, at_once: bool = False) -> list[Any]:
    d = ChangeDocument
    author, repository, label, path = map(_asked, (query.author, query.repository, query.label, query.path))
    given: list[tuple[Any, Callable[[], Any]]] = [
        (query.start, lambda: col(d.merged_at) >= query.start),
        (query.end, lambda: col(d.merged_at) <= query.end),
        (author, lambda: col(d.author).contains(author, autoescape=True)),
        (repository, lambda: col(d.repository).contains(repository, autoescape=True)),
        (label, lambda: col(d.labels).contains(f"\n{label}\n", autoescape=True)),
        (path, lambda: _has_file(session, PathPattern(path).like, at_once=at_once)),
        (query.service_id, lambda: _of_service(session, query.service_id)),
    ]
    return [condition() for value, condition in given if value]


def _asked(text_: str) -> str:
    """As it is compared: without case, and without what no database stores."""
    return _UNSTORABLE.sub("", text_).strip().lower()[:LONGEST_TEXT]


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
                or_(
                    _has_file(session, f"{escaped(link.path_prefix)}/%", at_once=False), ~_has_file(session, "%", at_once=False)
                )
                if link.path_prefix
                else literal(True),
            )
            for link in links
        ),
    )


def _has_file(session: ScopedSession, pattern: str, *, at_once: bool) -> Any:
    """One pass over all paths costs the same whatever it finds; a look at the paths of each change in turn may end soon."""
    f = PullRequestFile
    of_this = select(f.position).where(f.pull_request_id == ChangeDocument.pull_request_id)
    # SQLite's LIKE takes no notice of case; the ILIKE that is made for it would fold every path once more.
    like = col(f.path).like if session.connection().dialect.name == "sqlite" else col(f.path).ilike
    old = col(f.old_path).like if session.connection().dialect.name == "sqlite" else col(f.old_path).ilike
    fits = or_(like(pattern, escape=ESCAPE), and_(col(f.old_path) != "", old(pattern, escape=ESCAPE)))
    if at_once:
        return col(ChangeDocument.pull_request_id).in_(select(f.pull_request_id).where(fits))
    return of_this.where(fits).correlate(ChangeDocument).exists()


def _cursor(place: _Place) -> str:
    return f"{place.rank}~{cursor_of(place.merged_at, place.id)}"


def _from_cursor(cursor: str) -> _Place | None:
    rank, _, rest = cursor.partition("~")
    place = read_cursor(rest)
    return _Place(_Rank(int(rank)), *place) if place and rank in {str(known.value) for known in _Rank} else None
