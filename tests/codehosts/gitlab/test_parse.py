"""Whatever a host answers, it is a fact or a defined error."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.codehosts.facts import CommitFact, Comparison, PullRequestFact
from blametrail.codehosts.gitlab import parse
from blametrail.codehosts.host import BadAnswer
from blametrail.codehosts.shapes import a_list

SHA = "0123456789abcdef0123456789abcdef01234567"
COMMIT: dict[str, Any] = {
    "id": SHA,
    "message": "Add a cart",
    "author_name": "Ada",
    "authored_date": "2026-01-05T10:00:00.000+01:00",
    "committed_date": "2026-01-05T09:00:00Z",
    "parent_ids": ["f" * 40],
    "web_url": "https://git.example.com/c",
}
DIFF: dict[str, Any] = {"diff": "@@ -1 +1 @@\n-a\n+b\n", "new_path": "a.py", "old_path": "a.py", "new_file": False}
COMPARISON: dict[str, Any] = {"commits": [COMMIT], "diffs": [DIFF], "compare_timeout": False, "compare_same_ref": False}
MERGE_REQUEST: dict[str, Any] = {
    "iid": 3,
    "title": "Add a cart",
    "description": None,
    "author": {"username": "ada"},
    "labels": ["backend"],
    "state": "merged",
    "sha": SHA,
    "merge_commit_sha": "a" * 40,
    "squash_commit_sha": None,
    "target_branch": "main",
    "source_branch": "feature",
    "web_url": "https://git.example.com/m",
    "created_at": "2026-01-05T10:00:00.000+05:30",
    "updated_at": "2026-01-05T10:00:00.000Z",
    "merged_at": "2026-01-05T10:00:00.000Z",
}
PROJECT = {
    "path_with_namespace": "a/b",
    "default_branch": "main",
    "visibility": "private",
    "web_url": "https://git.example.com",
}
TOKEN = {"scopes": ["api"], "expires_at": "2026-12-31"}

PARSERS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "commit": (parse.commit, COMMIT),
    "comparison": (lambda body: parse.comparison(body, "f" * 40), COMPARISON),
    "merge request": (parse.pull_request, MERGE_REQUEST),
    "project": (parse.repository, PROJECT),
    "token": (lambda body: parse.token(body, "bot"), TOKEN),
    "files": (lambda body: parse.files(a_list(body, "diffs"), is_cut=False), [DIFF]),
}

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)


def _texts(fact: Any) -> list[str]:
    if isinstance(fact, str):
        return [fact]
    if isinstance(fact, dict):
        return [text for value in fact.values() for text in _texts(value)]
    return [text for value in fact for text in _texts(value)] if isinstance(fact, list | tuple) else []


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_it_reads_or_refuses_any_change_of_one_field(name: str, data: st.DataObject) -> None:
    read, good = PARSERS[name]
    body = deepcopy(good)
    fields = body[0] if isinstance(body, list) else body
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(_JSON)
    try:
        fact = read(body)
    except BadAnswer as error:
        assert error.remedy
    else:
        for text in _texts(asdict(fact)):
            assert "\0" not in text
            text.encode()


@pytest.mark.parametrize("name", PARSERS)
@given(body=_JSON)
def test_it_refuses_what_is_something_else(name: str, body: Any) -> None:
    if body == []:
        return  # no files
    with pytest.raises(BadAnswer):
        PARSERS[name][0](body)


@pytest.mark.parametrize("name", PARSERS)
def test_it_reads_what_the_others_are_changes_of(name: str) -> None:
    read, good = PARSERS[name]
    assert read(good)


def test_it_keeps_text_that_every_database_keeps() -> None:
    found = parse.commit(COMMIT | {"message": "a\0b\ud800c\udfff 😀", "author_name": "\udc80"})
    assert (found.message, found.author) == ("a\ufffdb\ufffdc\ufffd 😀", "\ufffd")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-01-05T10:00:00.000+01:00", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("2026-01-05T10:00:00-07:00", datetime(2026, 1, 5, 17, tzinfo=UTC)),
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("0000-00-00T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_it_bears_with_the_clocks_of_committers(written: str | None, expected: datetime | None) -> None:
    found: CommitFact = parse.commit(COMMIT | {"authored_date": written})
    assert found.authored_at == expected


@pytest.mark.parametrize("name", ["created_at", "updated_at", "merged_at"])
def test_it_refuses_wrong_times_of_the_host_itself(name: str) -> None:
    with pytest.raises(BadAnswer, match=name):
        parse.pull_request(MERGE_REQUEST | {name: "yesterday"})


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//git.example.com/x", "", None])
def test_it_links_to_nothing_but_the_web(url: str | None) -> None:
    found: PullRequestFact = parse.pull_request(MERGE_REQUEST | {"web_url": url})
    assert found.url == ""


@pytest.mark.parametrize("sha", ["", "main", "../../x", "A" * 40, SHA + "\n", SHA[:-1]])
def test_it_refuses_what_is_no_hash(sha: str) -> None:
    with pytest.raises(BadAnswer, match=r"\(id\)"):
        parse.commit(COMMIT | {"id": sha})


def test_it_takes_hashes_of_both_lengths() -> None:
    assert parse.commit(COMMIT | {"id": "a" * 64}).sha == "a" * 64


def test_it_bears_with_versions_that_say_less_of_files() -> None:
    found: Comparison = parse.comparison(COMPARISON, "f" * 40)
    assert found.changes.is_complete


def test_it_bears_with_an_author_who_is_gone() -> None:
    assert parse.pull_request(MERGE_REQUEST | {"author": None}).author == ""


def test_it_takes_form_feeds_and_returns_for_no_line_ends() -> None:
    [file] = parse.files([DIFF | {"diff": "@@ -1 +1 @@\n-a\x0c-b\r-c\u2028-d\n+e\n"}], is_cut=False).files
    assert (file.added, file.removed) == (1, 1)
