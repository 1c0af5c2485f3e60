"""Webhooks are read as GitHub and GitLab send them; whatever else comes is told as unreadable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blametrail.changes.told import LARGEST_READ, Merged, Nothing, Pushed, Repository, Unreadable, read_payload
from blametrail.codehosts.access import Kind
from tests.changes import payloads
from tests.running import ROOT

EXAMPLES = ROOT / ".tools/node_modules/@octokit/webhooks-examples"
MERGED_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def github(body: bytes, event: str = "pull_request") -> Any:
    return read_payload(Kind.GITHUB, event, body)


def gitlab(body: bytes) -> Any:
    return read_payload(Kind.GITLAB, "Merge Request Hook", body)


def test_it_reads_a_merge_of_github() -> None:
    told = github(payloads.github_pull_request())
    assert isinstance(told, Merged) and told.is_whole
    assert told.repository == Repository("https://github.com", "acme/shop")
    assert (told.fact.number, told.fact.author, told.fact.labels, told.fact.merged_at) == (
        7,
        "ada",
        ("performance",),
        MERGED_AT,
    )


@pytest.mark.parametrize("action", ["edited", "labeled", "unlabeled"])
def test_it_reads_what_changes_after_the_merge(action: str) -> None:
    assert isinstance(github(payloads.github_pull_request(action=action)), Merged)


def test_it_needs_nothing_done_for_what_is_not_merged() -> None:
    told = github(payloads.github_pull_request(action="opened", state="open", merged_at=None))
    assert isinstance(told, Nothing) and "not merged" in told.why and told.repository
    assert isinstance(github(b"{}", "issues"), Nothing) and isinstance(github(payloads.github_ping(), "ping"), Nothing)
    assert isinstance(gitlab(payloads.gitlab_merge_request(state="opened", action="open")), Nothing)
    assert isinstance(gitlab(b'{"object_kind": "note"}'), Nothing)


def test_it_reads_pushes() -> None:
    assert github(payloads.github_push(), "push") == Pushed(Repository("https://github.com", "acme/shop"))
    project = {"path_with_namespace": "a/b", "web_url": "https://gitlab.com/a/b"}
    assert gitlab(json.dumps({"object_kind": "push", "project": project}).encode()) == Pushed(
        Repository("https://gitlab.com", "a/b")
    )


def test_it_reads_forms_of_github() -> None:
    body = urlencode({"payload": payloads.github_pull_request(title="Ümlaut & Co").decode()}).encode()
    assert github(body).fact.title == "Ümlaut & Co"


def test_it_reads_a_merge_of_gitlab() -> None:
    told = gitlab(payloads.gitlab_merge_request())
    assert isinstance(told, Merged) and not told.is_whole
    assert told.repository == Repository("https://gitlab.com", "acme/payments/api")
    assert (told.fact.number, told.fact.author, told.fact.labels, told.fact.merged_at) == (3, "", ("API",), MERGED_AT)
    assert gitlab(payloads.gitlab_merge_request(author_id=1)).fact.author == "root"


def test_it_reads_every_example_of_github() -> None:
    """Real payloads of all events; what is merged in them is made so here, for none of them is."""
    for file in sorted(EXAMPLES.glob("*/index.json")):
        for hook in json.loads(file.read_text()):
            for example in hook["examples"]:
                told = github(json.dumps(example).encode(), hook["name"])
                expected = Pushed if hook["name"] == "push" else Nothing
                assert isinstance(told, expected), (file, hook["name"], told)
                if hook["name"] == "pull_request":
                    example["pull_request"]["merged_at"] = example["pull_request"]["updated_at"]
                    assert isinstance(github(json.dumps(example).encode()), Merged)
    assert EXAMPLES.exists(), "npm install @octokit/webhooks-examples, as the Makefile does"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b"payload=", b"payload=%ff", b"payload", b'{"action": "closed"}'],
)
def test_it_says_why_it_cannot_read(body: bytes) -> None:
    for told in (github(body), github(body, "push")):
        assert isinstance(told, Unreadable) and told.why


def test_it_reads_no_more_than_it_says() -> None:
    told = github(b" " * (LARGEST_READ + 1))
    assert isinstance(told, Unreadable) and "5,000,000" in told.why


def test_it_wants_the_repository_in_its_address() -> None:
    body = json.loads(payloads.github_pull_request())
    for url in ("https://github.com/else/where", "javascript:acme/shop", "", None, 5):
        body["repository"]["html_url"] = url
        assert isinstance(github(json.dumps(body).encode()), Unreadable)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(value=values, data=st.data())
def test_it_raises_at_nothing(value: Any, data: st.DataObject) -> None:
    """Any part of a good payload replaced by anything."""
    for make, read in ((payloads.github_pull_request, github), (payloads.gitlab_merge_request, gitlab)):
        given: Any = json.loads(make())
        inside = data.draw(st.sampled_from([given, *(part for part in given.values() if isinstance(part, dict) and part)]))
        inside[data.draw(st.sampled_from(sorted(inside)))] = value
        assert isinstance(read(json.dumps(given).encode()), Merged | Pushed | Nothing | Unreadable)
