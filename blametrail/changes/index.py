"""The full-text index of merged pull requests. Whoever stores one, by whatever way it was learned, the index follows in
the same transaction."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, event, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from blametrail.changes.tables import ChangeDocument
from blametrail.changes.words import words_of
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit.db import Prepared, ScopedSession

MOST_BODY_WORDS, MOST_NEAR_WORDS, MOST_PATHS = 4_000, 2_000, 1_500
"""Of one pull request, the files most worth reading first. PostgreSQL counts the places of some 16,000 words."""

_STORE = {
    "sqlite": "INSERT INTO change_words (rowid, organization, title, near, body) VALUES (:id, :organization, :title, :near, :body)",
    "postgresql": "INSERT INTO change_words (id, words) VALUES (:id, CAST(:words AS tsvector)) "
    "ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words",
}


@event.listens_for(ScopedSession, "after_flush")
def _follow(session: ScopedSession, _context: Any) -> None:
    """Files are stored before the row that says so, hence looking at the rows of pull requests is enough."""
    for row in (*session.new, *session.dirty):
        if isinstance(row, PullRequest):
            index_change(session, row)


def index_change(session: ScopedSession, change: PullRequest) -> None:
    """Make a merged pull request be found by what is stored of it now."""
    if change.merged_at is None:
        return
    scope = {"pull_request_id": change.id, "organization_id": change.organization_id}
    values = {
        "merged_at": change.merged_at,
        "host_url": change.host_url.lower(),
        "repository": change.repository.lower(),
        "author": change.author.lower(),
        "labels": f"\n{change.labels.lower()}\n",
    }
    connection = session.connection()
    _KEEP.run(connection, scope | values)
    (id_,) = _ID.run(connection, scope)[0]
    _store(connection, id_, change, [path for (path,) in _PATHS.run(connection, scope)])


def _keep() -> Prepared:
    new = insert(ChangeDocument)
    compared = ("merged_at", "host_url", "repository", "author", "labels")
    given = new.values({name: bindparam(name) for name in ("organization_id", "pull_request_id", *compared)})
    return Prepared(
        given.on_conflict_do_update(index_elements=["pull_request_id"], set_={name: given.excluded[name] for name in compared})
    )


_KEEP = _keep()
_ID = Prepared(
    select(ChangeDocument.id).where(
        ChangeDocument.pull_request_id == bindparam("pull_request_id"),
        ChangeDocument.organization_id == bindparam("organization_id"),
    )
)
_PATHS = Prepared(
    select(PullRequestFile.path)
    .where(
        PullRequestFile.pull_request_id == bindparam("pull_request_id"),
        PullRequestFile.organization_id == bindparam("organization_id"),
    )
    .order_by(col(PullRequestFile.position))
    .limit(MOST_PATHS)
)


def organization_word(organization_id: UUID) -> str:
    """The word that all documents of an organization share, and that no text has: words are letters and digits."""
    return f"~{organization_id.hex}"


def _store(connection: Connection, id_: int, row: PullRequest, paths: list[str]) -> None:
    title = words_of(f"#{row.number} {row.title}", MOST_NEAR_WORDS)
    near = words_of("\n".join((row.author, row.labels, *paths)), MOST_NEAR_WORDS)
    body = words_of(row.body, MOST_BODY_WORDS)
    own = organization_word(row.organization_id)
    values: dict[str, Any] = {"id": id_}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM change_words WHERE rowid = :id"), {"id": id_})
        values |= {"organization": own, "title": " ".join(title), "near": " ".join(near), "body": " ".join(body)}
    else:
        values["words"] = _vector(own, title, near, body)
    connection.execute(text(_STORE[connection.dialect.name]), values)


def _vector(own: str, title: list[str], near: list[str], body: list[str]) -> str:
    """A tsvector as PostgreSQL writes one: words with their places and the weight of their part. Words are letters and
    digits alone, so that nothing in them needs to be escaped."""
    places: dict[str, list[str]] = {own: ["1"]}
    place = 2
    for words, weight in ((title, "A"), (near, "B"), (body, "C")):
        for word in words:
            places.setdefault(word, []).append(f"{place}{weight}")
            place += 1
        place += 1  # no phrase goes from one part to the next
    return " ".join(f"'{word}':{','.join(found[:250])}" for word, found in places.items())
