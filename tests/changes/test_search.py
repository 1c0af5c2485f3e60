"""What was merged is found by whoever may see it, by nobody else, and whatever is typed is no syntax."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, text
from sqlmodel import select

from blametrail.accounts import organizations
from blametrail.accounts.tables import Organization
from blametrail.catalog import services
from blametrail.catalog.services import ServiceDraft
from blametrail.changes.search import ChangePage, ChangeQuery, search_changes
from blametrail.changes.views import change_detail
from blametrail.codehosts.facts import FileFact, Files, FileStatus, PullRequestFact, PullRequestState
from blametrail.codehosts.pull_requests import keep_files, keep_pull_request
from blametrail.codehosts.tables import PullRequest
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession
from blametrail.kit.errors import NotFound
from blametrail.kit.keys import Key, KeyRing
from tests.running import PASSWORD

KEYS = KeyRing((Key(b"k" * 32),))
START = datetime(2026, 1, 1, tzinfo=UTC)
GITHUB = "https://github.com"

Keep = Callable[..., UUID]


@pytest.fixture
def acme(db: Database, alice: UUID) -> UUID:
    return UUID(db.read_now(EVERY_ORGANIZATION, organizations.of_person, alice)[0][0])


@pytest.fixture
def elsewhere(db: Database) -> UUID:
    def found(session: ScopedSession) -> UUID:
        charlie = organizations.new_person(session, name="Charlie", email="charlie@example.com", password=PASSWORD)
        return organizations.found(session, charlie.id, "Elsewhere")

    return db.write_now(EVERY_ORGANIZATION, found)


def fact(number: int, title: str, body: str = "", author: str = "ada", labels: tuple[str, ...] = ()) -> PullRequestFact:
    at = START + timedelta(days=number)
    return PullRequestFact(
        number=number,
        title=title,
        body=body,
        author=author,
        labels=labels,
        state=PullRequestState.MERGED,
        url=f"{GITHUB}/acme/shop/pull/{number}",
        base_branch="main",
        head_branch="topic",
        head_sha="a" * 40,
        merge_sha="b" * 40,
        created_at=at,
        updated_at=at,
        merged_at=at,
    )


@pytest.fixture
def keep(db: Database) -> Keep:
    def keep(
        organization_id: UUID, change: PullRequestFact, *paths: str, repository: str = "acme/shop", has_files: bool = True
    ) -> UUID:
        def store(session: ScopedSession) -> UUID:
            id_ = keep_pull_request(session, GITHUB, repository, change)
            if has_files:
                files = tuple(FileFact(path, FileStatus.MODIFIED, 3, 1) for path in paths)
                keep_files(session, id_, Files(files, True))
            return id_

        return db.write_now(organization_id, store)

    return keep


def found(page: ChangePage) -> list[int]:
    return [change.number for change in page.changes]


def ask(db: Database, organization_id: UUID, words: str = "", **more: object) -> list[int]:
    return found(db.read_now(organization_id, search_changes, ChangeQuery(words, **more)))  # type: ignore[arg-type]


def test_it_finds_code_by_all_ways_to_write_it(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "Mend retryPolicy", "See RFC-7231 and v1.2.3"), "src/http/client.py")
    keep(acme, fact(2, "Other", "retry_policy is documented"), "docs/retry.md")
    keep(acme, fact(3, "Lower retrypolicy"))
    keep(acme, fact(4, "Neither nor"))
    for asked in ("retryPolicy", "retry_policy", "retry-policy", '"retry policy"', "RETRY_POLICY"):
        assert {1, 2} <= set(ask(db, acme, asked)) <= {1, 2, 3}, asked
    assert ask(db, acme, "retrypolicy") == [3, 1, 2]
    assert ask(db, acme, "retryp") == [3, 1, 2]
    assert ask(db, acme, "retry polic") == [1, 2]
    assert ask(db, acme, "v1.2.3") == ask(db, acme, "rfc-7231") == ask(db, acme, "client.py") == [1]


def test_it_finds_numbers(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(12, "One"))
    keep(acme, fact(123, "Two"))
    keep(acme, fact(5, "Three", "reverts #12"))
    assert ask(db, acme, "#12") == ask(db, acme, "!12") == [12, 5]
    assert ask(db, acme, "12") == [123, 12, 5]


def test_it_puts_titles_before_paths_before_bodies_and_then_the_newest(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "Payments by card"))
    keep(acme, fact(2, "Payments by invoice"))
    keep(acme, fact(3, "Other", labels=("payments",)))
    keep(acme, fact(4, "Other"), "src/payments/card.py")
    keep(acme, fact(5, "Other", "about payments " * 30))
    assert ask(db, acme, "payments") == [2, 1, 4, 3, 5]
    assert ask(db, acme, "payments card") == [1, 4]
    assert ask(db, acme) == [5, 4, 3, 2, 1]


def test_it_pages_through_all_of_them_once(db: Database, acme: UUID, keep: Keep) -> None:
    for number in range(1, 12):
        keep(acme, fact(number, "word" if number % 3 else "other", "word"))
    for words in ("word", ""):
        seen, cursor = [], ""
        while True:
            page = db.read_now(acme, search_changes, ChangeQuery(words), cursor, 4)
            seen += found(page)
            assert page.count == 11
            if not (cursor := page.next_cursor):
                break
        assert sorted(seen) == list(range(1, 12))
        assert seen == found(db.read_now(acme, search_changes, ChangeQuery(words)))


@pytest.mark.parametrize("cursor", ["x", "~~", "9~2026-01-01T00:00:00+00:00~x", "1~never~y", "0~2026-01-01~z", "~" * 50])
def test_it_starts_at_the_first_page_when_the_cursor_is_unreadable(db: Database, acme: UUID, keep: Keep, cursor: str) -> None:
    keep(acme, fact(1, "word"))
    assert found(db.read_now(acme, search_changes, ChangeQuery("word"), cursor)) == [1]


def test_it_filters(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "One", author="Ada", labels=("Bug", "needs review")), "src/pay/a.py", "db/1.sql")
    keep(acme, fact(2, "Two", author="bob_1"), "docs/a.md", repository="acme/docs")
    assert ask(db, acme, author="ada") == ask(db, acme, label="bug") == ask(db, acme, label="Needs Review") == [1]
    assert ask(db, acme, path="src/pay") == ask(db, acme, path="*.SQL") == ask(db, acme, path="src/*/?.py") == [1]
    assert ask(db, acme, path="pay") == ask(db, acme, label="bu") == ask(db, acme, author="bob%") == []
    assert ask(db, acme, repository="Acme/Docs") == ask(db, acme, author="b_1") == [2]
    assert ask(db, acme, start=START + timedelta(days=2)) == ask(db, acme, "two", end=START + timedelta(days=2)) == [2]


def test_it_finds_what_a_service_has_in_its_folder(db: Database, acme: UUID, keep: Keep) -> None:
    draft = ServiceDraft.checked(
        name="pay", environment="production", type="web", repositories="Acme/Shop services/pay\nacme/docs"
    )
    service_id, _ = db.write_now(acme, services.create, KEYS, draft, "test")
    keep(acme, fact(1, "In it"), "services/pay/main.py")
    keep(acme, fact(2, "Beside it"), "services/payroll/main.py")
    keep(acme, fact(3, "Whole repository"), "a.md", repository="acme/docs")
    keep(acme, fact(4, "Not known"), has_files=False)
    keep(acme, fact(5, "Elsewhere"), "services/pay/main.py", repository="acme/other")
    page = db.read_now(acme, search_changes, ChangeQuery(service_id=service_id))
    assert found(page) == [4, 3, 1]
    assert {change.services for change in page.changes} == {((str(service_id), "pay"),)}
    assert ask(db, acme, service_id=UUID(int=1)) == []


def test_it_shows_what_matched(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "Ask less", "First line.\n\nThe timeout grew."), "src/pay/timeout.py", "README.md")
    (change,) = db.read_now(acme, search_changes, ChangeQuery("timeout")).changes
    assert "".join(piece.text for piece in change.matched_files[0]) == "src/pay/timeout.py"
    assert [piece.text for piece in change.excerpt if piece.is_match] == ["timeout"]
    assert (change.files, change.has_files) == (2, True)
    detail = db.read_now(acme, change_detail, UUID(change.id))
    assert (detail.added, detail.removed, detail.body) == (6, 2, "First line.\n\nThe timeout grew.")
    assert [name for name, _ in detail.categories] == ["application logic", "documentation"]


def test_it_follows_what_is_stored(db: Database, acme: UUID, keep: Keep) -> None:
    first = fact(1, "Old title", labels=("old",))
    keep(acme, first, "old.py")
    keep(acme, fact(1, "New title", labels=("new",)), "new.py")
    assert ask(db, acme, "old") == [] and ask(db, acme, label="old") == []
    assert ask(db, acme, "new title new.py") == ask(db, acme, label="new") == [1]
    assert words_kept(db) == 1


def test_it_finds_nothing_that_is_not_merged(db: Database, acme: UUID) -> None:
    given = fact(1, "Draft")
    unmerged = PullRequestFact(**{**{f: getattr(given, f) for f in given.__slots__}, "merged_at": None, "state": "open"})
    id_ = db.write_now(acme, keep_pull_request, GITHUB, "acme/shop", unmerged)
    assert ask(db, acme) == []
    with pytest.raises(NotFound):
        db.read_now(acme, change_detail, id_)


def test_it_forgets_words_with_their_rows(db: Database, acme: UUID, elsewhere: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "Ours"))
    keep(acme, fact(2, "Ours too"))
    keep(elsewhere, fact(1, "Theirs"))
    db.write_now(acme, lambda s: s.delete(s.exec(select(PullRequest).where(PullRequest.number == 2)).one()))
    assert (words_kept(db), ask(db, acme, "ours")) == (2, [1])
    db.write_now(EVERY_ORGANIZATION, lambda s: s.execute(delete(Organization).where(Organization.id == acme)))  # type: ignore[arg-type]
    assert (words_kept(db), ask(db, elsewhere, "theirs")) == (1, [1])


def words_kept(db: Database) -> int:
    return db.read_now(
        EVERY_ORGANIZATION, lambda s: int(s.connection().execute(text("SELECT count(*) FROM change_words")).scalar() or 0)
    )


def test_it_shows_nothing_of_others(db: Database, acme: UUID, elsewhere: UUID, keep: Keep) -> None:
    mine = keep(acme, fact(1, "Secret plan"), "secret/plan.py")
    for number in range(30):
        keep(elsewhere, fact(number, "Secret plan"), "secret/plan.py")
    for query in (ChangeQuery("secret"), ChangeQuery(), ChangeQuery(path="secret"), ChangeQuery(author="ada")):
        page = db.read_now(acme, search_changes, query)
        assert ([change.id for change in page.changes], page.count) == ([str(mine)], 1)
    for asked in (acme.hex, f"~{acme.hex}", f'organization:"{acme.hex}"', "org"):
        assert ask(db, elsewhere, asked) == []
    with pytest.raises(NotFound):
        db.read_now(elsewhere, change_detail, mine)
    with pytest.raises(PermissionError):
        db.read_now(EVERY_ORGANIZATION, search_changes, ChangeQuery("secret"))


def test_it_takes_no_word_for_syntax(db: Database, acme: UUID, keep: Keep) -> None:
    keep(acme, fact(1, "Plain words OR others NEAR them"))
    for asked in (
        '" OR *',
        "a AND (",
        "plain NOT",
        "title:plain",
        "^plain",
        "plain*zzz",
        "'; DROP",
        "plain\0zz",
        "\ud800",
        ":*",
        "\\",
    ):
        assert ask(db, acme, asked) in ([], [1]), asked
    assert ask(db, acme, "words OR others") == ask(db, acme, "NEAR") == [1]
    assert ask(db, acme, "!!!") == [] and ask(db, acme, "  ") == [1]
    for field in ("path", "author", "repository", "label"):
        for value in ("\0", "\ud800", "%", "_", "\\", "'", "*" * 200, "a\\%*?" * 50):
            assert isinstance(ask(db, acme, **{field: value}), list)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.text(max_size=60), path=st.text(max_size=20))
def test_it_answers_any_text(db: Database, acme: UUID, asked: str, path: str) -> None:
    assert isinstance(ask(db, acme, asked, path=path), list)


@hypothesis_settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80))
def test_it_finds_any_title_by_itself(db: Database, acme: UUID, keep: Keep, title: str) -> None:
    from blametrail.changes.words import terms_of

    keep(acme, fact(77, title))
    assert ask(db, acme, title) == ([77] if terms_of(title) or not title.strip() else [])
    db.write_now(acme, lambda s: s.delete(s.exec(select(PullRequest)).one()))
