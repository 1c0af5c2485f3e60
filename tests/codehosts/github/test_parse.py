"""Whatever a host answers is a fact or BadAnswer, and any database stores the fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from blametrail.codehosts.facts import FileStatus
from blametrail.codehosts.github import parse
from blametrail.codehosts.host import BadAnswer
from tests.peers import github_shapes as shapes
from tests.peers.github import File, Repository

API = "https://github.example.com/api/v3"


def bodies() -> dict[str, tuple[Callable[[Any], Any], Any]]:
    shop = Repository("acme/shop")
    base = shop.commits[shop.commit("Start")]
    head = shop.commits[shop.commit("Next", File("a.py", "renamed", 1, 2, "@@", "b.py"))]
    number = shop.merge("Merged", File("c.py"), labels=("bug",), body="Why")
    files = [shapes.file(API, shop, file) for file in head.files]
    compared = {
        **shapes.comparison(API, shop, base, head, base),
        "status": "ahead",
        "total_commits": 1,
        "commits": [shapes.commit(API, shop, head)],
        "files": files,
    }
    return {
        "repository": (parse.repository, shapes.repository(API, shop)),
        "comparison": (parse.comparison, compared),
        "commit": (lambda body: parse.commit_detail(body, []), {**shapes.commit(API, shop, head), "files": files}),
        "pull request": (parse.pull_request, shapes.pull(API, shop, shop.pulls[number])),
        "pull requests": (parse.pull_requests, [shapes.pull(API, shop, shop.pulls[number])]),
        "files": (parse.files, files),
    }


BODIES = bodies()
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "a" * 40, "javascript:x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[path[0]] = replaced(body[path[0]], path[1:], value)
    return copy


def texts(fact: Any) -> list[str]:
    if isinstance(fact, str):
        return [fact]
    if isinstance(fact, tuple):
        return [text for one in fact for text in texts(one)]
    return [text for one in fields(fact) for text in texts(getattr(fact, one.name))] if is_dataclass(fact) else []


@pytest.mark.parametrize("name", BODIES)
@given(data=st.data())
@tries(deadline=None, max_examples=150)
def test_it_reads_or_refuses_anything(name: str, data: st.DataObject) -> None:
    read, body = BODIES[name]
    assert read(body)
    changed = replaced(body, data.draw(st.sampled_from(places(body))), data.draw(ANYTHING))
    try:
        fact = read(changed)
    except BadAnswer as error:
        assert error.reason and error.remedy
        return
    for text in texts(fact):
        assert "\0" not in text and text.encode().decode() == text


@pytest.mark.parametrize("name", BODIES)
def test_it_refuses_what_lacks_a_part(name: str) -> None:
    wrongs: list[Any] = [None, 1, "x", [1], {"status": "ahead"}, [None], [[]]]
    for wrong in wrongs:
        with pytest.raises(BadAnswer, match="not shaped as this code host's"):
            BODIES[name][0](wrong)


def pull(**changed: Any) -> dict[str, Any]:
    body: dict[str, Any] = BODIES["pull request"][1]
    return {**body, **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"number": True},
        {"number": -1},
        {"number": 2**31},
        {"number": "1"},
        {"title": None},
        {"created_at": "yesterday"},
        {"created_at": "2026-01-01T00:00:00"},
        {"updated_at": None},
        {"merged_at": 5},
        {"head": {"ref": "x", "sha": "main"}},
        {"base": None},
        {"labels": [{"name": None}]},
        {"labels": "bug"},
        {"user": "ada"},
    ],
    ids=str,
)
def test_it_refuses_a_wrong_pull_request(changed: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        parse.pull_request(pull(**changed))


def test_it_keeps_what_may_be_missing() -> None:
    found = parse.pull_request(pull(body=None, user=None, labels=None, html_url="javascript:alert(1)"))
    assert (found.body, found.author, found.labels, found.url) == ("", "", (), "")


def test_it_makes_texts_storable() -> None:
    assert parse.pull_request(pull(title="a\0b\ud800c\U0001f600")).title == "a\ufffdb\ufffdc\U0001f600"


@pytest.mark.parametrize("date", [None, "", "yesterday", "0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00"])
def test_it_reads_commits_with_odd_dates_and_nobody(date: str | None) -> None:
    body = BODIES["commit"][1]
    odd = {**body, "author": {}, "committer": None, "commit": {**body["commit"], "author": None, "committer": {"date": date}}}
    found = parse.commit(odd)
    assert (found.author, found.login, found.authored_at, found.committed_at) == ("", "", None, None)


@pytest.mark.parametrize("status", ["changed", "unchanged", "something new"])
def test_it_takes_other_changes_for_modifications(status: str) -> None:
    (file,) = BODIES["files"][1]
    assert parse.files([{**file, "status": status}])[0].status == FileStatus.MODIFIED


def test_it_reads_commits_of_sha_256() -> None:
    body = {**BODIES["commit"][1], "sha": "a" * 64}
    assert parse.commit(body).sha == "a" * 64
