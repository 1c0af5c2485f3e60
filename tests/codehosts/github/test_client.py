"""GitHub is asked little, and what it answers is told truly: what is there, what is missing, what to do."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from blametrail.codehosts.access import Level, WriteAccess
from blametrail.codehosts.facts import FileStatus, PullRequestFact, PullRequestState, Relation
from blametrail.codehosts.github.client import GitHub, WritableGitHub
from blametrail.codehosts.github.refusals import NoDiff
from blametrail.codehosts.host import (
    MOST_COMMITS,
    BadAnswer,
    HostError,
    NotPermitted,
    NotVisible,
    RateLimited,
    TokenRefused,
    UnknownCommit,
    Unreachable,
)
from blametrail.kit.clock import now
from tests.codehosts.github.conftest import FINE_GRAINED, TOKEN, Connect
from tests.peers.github import READ, FakeGitHub, File, Reply
from tests.running import free_port

NOWHERE = "f" * 40
SHOP = "acme/shop"


@asynccontextmanager
async def asking(connect: Connect, *arguments: Any, **more: Any) -> AsyncIterator[GitHub]:
    async with GitHub(connect(*arguments, **more)) as host:
        yield host


@asynccontextmanager
async def writing(connect: Connect, *arguments: Any) -> AsyncIterator[WritableGitHub]:
    async with WritableGitHub(cast(WriteAccess, connect(*arguments, level=Level.WRITE))) as host:
        yield host


# Comparisons


async def test_it_compares_a_usual_deploy_with_one_call(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP, private=True)
    base = shop.commit("Start", File("app.py", "added"))
    shop.commit("Wait longer\n\nFor slow networks.", File("app.py", additions=2, deletions=1), author="Grace", login="grace")
    head = shop.commit("Move", File("new.py", "renamed", 0, 0, None, "old.py"), File("logo.png", "added", 0, 0, None))
    async with asking(connect) as host:
        found = await host.compare(SHOP, base, head)
        assert host.calls == len(github.requests) == 1
    assert found.relation == Relation.AHEAD and found.total_commits == 2
    assert [commit.message for commit in found.commits] == ["Wait longer\n\nFor slow networks.", "Move"]
    first = found.commits[0]
    assert (first.author, first.login, first.parents) == ("Grace", "grace", (base,))
    assert first.committed_at and first.url == f"{github.url}/{SHOP}/commit/{first.sha}"
    changed, moved, picture = found.changes.files
    assert (changed.path, changed.added, changed.removed) == ("app.py", 2, 1) and changed.patch
    assert (moved.path, moved.old_path, moved.status, moved.patch) == ("new.py", "old.py", FileStatus.RENAMED, None)
    assert (picture.status, picture.patch, found.changes.is_complete) == (FileStatus.ADDED, None, True)


async def test_it_tells_how_commits_stand_to_each_other(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    one = shop.commit("One")
    two = shop.commit("Two", File("two"))
    other = shop.commit("Other", File("other"), branch="other", parents=[one])
    async with asking(connect) as host:
        assert (await host.compare(SHOP, one, one)).relation == Relation.SAME
        behind = await host.compare(SHOP, two, one)
        assert (behind.relation, behind.commits, behind.changes.files) == (Relation.BEHIND, (), ())
        parted = await host.compare(SHOP, two, other)
        assert (parted.relation, [commit.sha for commit in parted.commits]) == (Relation.DIVERGED, [other])
        assert [file.path for file in parted.changes.files] == ["other"]


@pytest.mark.parametrize(("many", "calls"), [(100, 1), (101, 2), (250, 3), (1_000, 10)])
async def test_it_reads_every_page_of_commits(many: int, calls: int, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base = shop.commit("Start")
    for number in range(many):
        shop.commit(str(number))
    async with asking(connect) as host:
        found = await host.compare(SHOP, base, "main")
        assert host.calls == calls
    assert [commit.message for commit in found.commits] == [str(number) for number in range(many)]


@pytest.mark.parametrize("many", [1_001, 1_099, 1_100, 1_101, 2_345])
async def test_it_reads_the_newest_of_too_many_commits(many: int, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base = shop.commit("Start")
    for number in range(many):
        shop.commit(str(number), File("last.py") if number == many - 1 else File("first.py"))
    async with asking(connect) as host:
        found = await host.compare(SHOP, base, "main")
        assert host.calls <= 12
    assert [commit.message for commit in found.commits] == [str(number) for number in range(many - MOST_COMMITS, many)]
    assert found.total_commits == many and len(found.changes.files) == 2


async def test_it_ends_when_further_pages_are_empty(github: FakeGitHub, connect: Connect) -> None:
    """A server that counts commits and does not list them, or that knows no pages."""
    shop = github.add_repository(SHOP)
    base, head = shop.commit("Start"), shop.commit("Next")
    async with asking(connect) as host:
        await host.compare(SHOP, base, head)
        body = github.requests[0].answer
        github.answer("/compare/", Reply(body={**body, "total_commits": 2**31 - 1}), Reply(body={**body, "commits": []}))
        found = await host.compare(SHOP, base, head)
        assert host.calls == 3 and found.total_commits == 2**31 - 1 and len(found.commits) == 1
        github.answer("/compare/", *[Reply(body={**body, "total_commits": 2**31 - 1})] * 20)
        assert len((await host.compare(SHOP, base, head)).commits) == 1 and host.calls <= 15


@pytest.mark.parametrize(("many", "is_complete"), [(299, True), (300, False), (301, False)])
async def test_it_says_when_files_may_be_missing(many: int, is_complete: bool, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base = shop.commit("Start")
    head = shop.commit("Many", *[File(f"{number}.py") for number in range(many)])
    async with asking(connect) as host:
        found = await host.compare(SHOP, base, head)
    assert (len(found.changes.files), found.changes.is_complete) == (min(many, 300), is_complete)


async def test_it_says_when_there_is_no_list_of_files_at_all(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base, head = shop.commit("Start"), shop.commit("Next", File("a.py"))
    async with asking(connect) as host:
        await host.compare(SHOP, base, head)
        body = {key: value for key, value in github.requests[0].answer.items() if key != "files"}
        github.answer("/compare/", Reply(body=body))
        assert not (await host.compare(SHOP, base, head)).changes.is_complete


async def test_it_asks_with_what_github_wants_to_hear(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    shop.commit("On a branch", branch="release/1.0 ä")
    async with asking(connect) as host:
        await host.compare(SHOP, "main", "release/1.0 ä")
    (seen,) = github.requests
    assert seen.path == f"/repos/{SHOP}/compare/main...release%2F1.0%20%C3%A4"
    assert seen.headers["accept"] == "application/vnd.github+json" and seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.headers["x-github-api-version"] == "2022-11-28" and seen.headers["user-agent"].startswith("BlameTrail/")


# Commits and pull requests


@pytest.mark.parametrize(("many", "calls"), [(0, 1), (2, 1), (300, 1), (301, 2), (3_000, 10), (3_500, 10)])
async def test_it_reads_all_files_of_a_commit(many: int, calls: int, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    sha = shop.commit("Many", *[File(f"{number}.py") for number in range(many)])
    async with asking(connect) as host:
        found = await host.commit(SHOP, sha)
        assert host.calls == calls
    assert found.commit.sha == sha and len(found.changes.files) == min(many, 3_000)
    assert found.changes.is_complete == (many < 3_000)


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
async def test_it_finds_the_pull_request_of_a_commit(how: Any, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    labels = ("bug", "very\nurgent")
    number = shop.merge("Ask for less", File("app.py"), how=how, body="It was too much.", labels=labels, author="grace")
    head = shop.branches["main"]
    async with asking(connect) as host:
        (found,) = await host.pull_requests_of(SHOP, head)
        assert found == await host.pull_request(SHOP, number)
        assert host.calls == 2
    assert (found.number, found.title, found.body, found.author) == (number, "Ask for less", "It was too much.", "grace")
    assert found.labels == ("bug", "very urgent") and found.state == PullRequestState.MERGED and found.merged_at
    assert (found.base_branch, found.head_branch, found.merge_sha) == ("main", "change-1", head)
    assert found.url == f"{github.url}/{SHOP}/pull/{number}"


async def test_it_tells_open_and_closed_pull_requests(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    one, two = shop.open_pull("One", body=None, author=""), shop.open_pull("Two")
    shop.close(two)
    async with asking(connect) as host:
        first, second = await host.pull_request(SHOP, one), await host.pull_request(SHOP, two)
    assert first and (first.state, first.body, first.author, first.merge_sha) == (PullRequestState.OPEN, "", "", "")
    assert second and (second.state, second.merged_at, second.merge_sha) == (PullRequestState.CLOSED, None, "")


async def test_it_has_no_pull_request_for_an_issue_s_number(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    sha = shop.commit("Start")
    async with asking(connect) as host:
        await host.compare(SHOP, sha, sha)
        assert await host.pull_request(SHOP, 99) is None
        assert host.calls == 2, "that the repository is visible was known"
    async with asking(connect) as host:
        assert await host.pull_request(SHOP, 99) is None
        with pytest.raises(NotVisible, match="acme/other"):
            await host.pull_request("acme/other", 1)
        with pytest.raises(NotVisible, match="no pull request 99"):
            await host.pull_request_files(SHOP, 99)


@pytest.mark.parametrize(("many", "calls"), [(1, 1), (101, 2), (2_999, 30), (3_200, 30)])
async def test_it_reads_all_files_of_a_pull_request(many: int, calls: int, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    number = shop.open_pull("Many", *[File(f"{number}.py") for number in range(many)])
    async with asking(connect) as host:
        found = await host.pull_request_files(SHOP, number)
        assert host.calls == calls
    assert (len(found.files), found.is_complete) == (min(many, 3_000), many < 3_000)


async def test_it_finds_what_was_merged_since(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day in range(250):
        number = shop.merge(f"Day {day}", at=start + timedelta(days=day))
        if day % 2:
            shop.pulls[number].state, shop.pulls[number].merged_at = "closed", None
    shop.pulls[1].updated_at = "2030-01-01T00:00:00Z"  # a comment on an old one
    async with asking(connect) as host:
        found = [fact async for fact in host.merged_since(SHOP, start + timedelta(days=220))]
        assert [fact.title for fact in found] == [f"Day {day}" for day in range(248, 219, -2)]
        assert host.calls == 1
        assert len([fact async for fact in host.merged_since(SHOP, start)]) == 125
        assert host.calls == 4


async def test_it_asks_for_pages_as_they_are_needed(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.commit("Start")
    for number in range(150):
        shop.merge(str(number))
    async with asking(connect) as host:
        found: list[PullRequestFact] = []
        async for fact in host.merged_since(SHOP, datetime(2020, 1, 1, tzinfo=UTC)):
            found.append(fact)
            if len(found) == 100:
                assert host.calls == 1
        assert len(found) == 150 and host.calls == 2


# Repositories


async def test_it_follows_a_renamed_repository(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository("acme/old", default_branch="trunk")
    base, head = shop.commit("Start"), shop.commit("Next")
    github.rename("acme/old", "acme/new")
    async with asking(connect) as host:
        found = await host.repository("acme/old")
        assert (found.path, found.default_branch, found.is_private) == ("acme/new", "trunk", False)
        assert found.url == f"{github.url}/acme/new"
        assert len((await host.compare("acme/old", base, head)).commits) == 1
        assert host.calls == len(github.requests) == 4, "redirects are requests, too"


async def test_it_says_that_a_private_repository_may_be_hidden(github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP, private=True).commit("Start")
    github.add_token("ghp_public", scopes=("public_repo",))
    github.add_token(FINE_GRAINED, scopes=None, sees=["acme/other"])
    for secret, level, remedy in (
        ("ghp_public", Level.READ, "the scope repo"),
        (FINE_GRAINED, Level.READ, "access to this repository, with the permissions Contents: read and Pull requests: read"),
        (FINE_GRAINED, Level.WRITE, "Contents: write and Pull requests: write"),
    ):
        async with asking(connect, secret, level=level) as host:
            for asked in (host.repository(SHOP), host.compare(SHOP, "a" * 40, "b" * 40), host.commit(SHOP, "a" * 40)):
                with pytest.raises(NotVisible) as error:
                    await asked
                assert "acme/shop" in error.value.reason and remedy in error.value.remedy
            with pytest.raises(NotVisible):
                await anext(host.merged_since(SHOP, now()))


@pytest.mark.parametrize("path", ["acme", "", "a/b/c", "../user", "acme/..", "/", "acme/"])
async def test_it_asks_for_no_repository_that_cannot_be(path: str, github: FakeGitHub, connect: Connect) -> None:
    async with asking(connect) as host:
        with pytest.raises(NotVisible):
            await host.repository(path)
        with pytest.raises(NotVisible):
            await host.pull_request(path, 1)
    assert not github.requests


@pytest.mark.parametrize("path", ["acme/sh op", "acme/shop?x=1", "acme/shop#", "acme/%2e%2e", "acme/\ud800", "ä/ö"])
async def test_it_asks_for_names_as_they_are(path: str, github: FakeGitHub, connect: Connect) -> None:
    async with asking(connect) as host:
        with pytest.raises(NotVisible):
            await host.repository(path)
    (seen,) = github.requests
    assert seen.path.startswith("/repos/") and seen.path.count("/") == 3 and not seen.query


# What goes wrong


async def test_it_tells_an_unknown_commit_from_a_hidden_repository(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base, gone = shop.commit("Start"), shop.commit("Gone")
    shop.forget(gone)
    async with asking(connect) as host:
        for number, asked in enumerate((host.compare(SHOP, gone, base), host.compare(SHOP, base, gone)), 2):
            with pytest.raises(UnknownCommit, match=gone[:12]):
                await asked
            assert host.calls <= number + 1, "one call to see whether the repository is visible, once"
        for asked_of in (host.commit(SHOP, gone), host.pull_requests_of(SHOP, gone)):
            with pytest.raises(UnknownCommit) as error:
                await asked_of
            assert "force-pushed" in error.value.remedy and not error.value.is_passing


async def test_it_says_that_histories_have_nothing_in_common(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    one, other = shop.commit("One", parents=[]), shop.commit("Other", parents=[])
    async with asking(connect) as host:
        with pytest.raises(UnknownCommit, match="no history in common"):
            await host.compare(SHOP, one, other)
        assert host.calls == 1


async def test_it_says_that_a_repository_is_empty(github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP)
    async with asking(connect) as host:
        with pytest.raises(UnknownCommit, match="no commits"):
            await host.commit(SHOP, "main")


@pytest.mark.parametrize("ref", ["", "..", "a/../../b", ".", "a...b"])
async def test_it_asks_for_no_commit_that_cannot_be(ref: str, github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP).commit("Start")
    async with asking(connect) as host:
        for asked in (host.commit(SHOP, ref), host.compare(SHOP, ref, "main"), host.compare(SHOP, "main", ref)):
            with pytest.raises(UnknownCommit):
                await asked
        with pytest.raises(UnknownCommit):
            await host.pull_requests_of(SHOP, ref)
    assert not github.requests


@pytest.mark.parametrize("ref", ["a?b=c", "a#b", "\ud800", "\0", "a b", "%2e%2e", "ä"])
async def test_it_asks_for_odd_commits_as_they_are(ref: str, github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP).commit("Start")
    async with asking(connect) as host:
        with pytest.raises(UnknownCommit):
            await host.commit(SHOP, ref)
        with pytest.raises(UnknownCommit):
            await host.compare(SHOP, ref, "main")
    assert all(seen.path.count("/") <= 5 for seen in github.requests)


async def test_it_says_that_a_token_was_revoked(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    sha = shop.commit("Start")
    async with asking(connect) as host:
        await host.commit(SHOP, sha)
        github.revoke(TOKEN)
        with pytest.raises(TokenRefused, match=r"expired or revoked \(401\)") as error:
            await host.commit(SHOP, sha)
        assert "replace" in error.value.remedy and not error.value.is_passing
        github.add_token(TOKEN)
        assert (await host.commit(SHOP, sha)).commit.sha == sha


async def test_it_comes_back_when_the_rate_limit_allows(github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP).commit("Start")
    github.limit_rate(resets_in=timedelta(minutes=25))
    async with asking(connect) as host:
        with pytest.raises(RateLimited) as error:
            await host.repository(SHOP)
    assert abs(error.value.until - github.resets_at) < timedelta(seconds=2) and error.value.is_passing


@pytest.mark.parametrize(("asked", "expected"), [(None, 60), (30, 30), (7_000_000, 7_200)])
async def test_it_keeps_to_secondary_limits(asked: int | None, expected: int, github: FakeGitHub, connect: Connect) -> None:
    github.add_repository(SHOP).commit("Start")
    github.limit_secondary("/repos/", retry_after=asked)
    async with asking(connect) as host:
        with pytest.raises(RateLimited) as error:
            await host.repository(SHOP)
        assert abs(error.value.until - now() - timedelta(seconds=expected)) < timedelta(seconds=5)
        await host.repository(SHOP)


async def test_it_takes_a_secondary_limit_s_time_not_the_primary_s(github: FakeGitHub, connect: Connect) -> None:
    """The answer to a secondary limit has the headers of the primary one, too, of which much is left."""
    headers = {"X-RateLimit-Remaining": "4321", "X-RateLimit-Reset": str(int((now() + timedelta(minutes=50)).timestamp()))}
    message = {"message": "You have exceeded a secondary rate limit and have been temporarily blocked."}
    github.answer("/repos/", Reply(403, message, headers), Reply(429, message, headers))
    async with asking(connect) as host:
        for _ in range(2):
            with pytest.raises(RateLimited) as error:
                await host.repository(SHOP)
            assert error.value.until - now() < timedelta(minutes=2)


SSO = {"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso?authorization_request=AZSCKtL4"}


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Reply(403, {"message": "Resource protected by organization SAML enforcement."}, SSO), NotPermitted, "Configure SSO"),
        (
            Reply(403, {"message": "Although you appear to have … an IP allow list enabled, and …"}),
            NotPermitted,
            "IP allow list",
        ),
        (Reply(403, {"message": "Resource not accessible by personal access token"}), NotPermitted, "the scope repo"),
        (
            Reply(403, {"message": "forbids access … if the token's lifetime is greater than 366 days"}),
            NotPermitted,
            "ends earlier",
        ),
        (Reply(403, {"message": "This installation has been suspended"}), NotPermitted, "suspended"),
        (Reply(403, b"<html>"), NotPermitted, "403"),
        (Reply(403, {"message": "Slow down"}, {"Retry-After": "40"}), RateLimited, "rate limit"),
        (Reply(403, {"message": "Slow down"}, {"X-RateLimit-Remaining": "0"}), RateLimited, "rate limit"),
        (Reply(451, {"message": "Repository access blocked", "block": {"reason": "dmca"}}), NotVisible, "legal"),
        (Reply(410, {"message": "Gone"}), NotVisible, "name"),
        (Reply(500, {"message": "Server Error"}), BadAnswer, "500"),
        (Reply(502, b"<html>Bad gateway</html>"), BadAnswer, "502"),
        (Reply(503), BadAnswer, "503"),
        (Reply(404, b'{"message": '), NotVisible, "404"),
        (Reply(404, ["Not Found"]), NotVisible, "404"),
        (Reply(422, {"message": "Validation Failed", "errors": ["x", {"code": 1}]}), BadAnswer, "422"),
        (Reply(422, {"message": None, "errors": {"a": 1}}), BadAnswer, "422"),
        (Reply(400, {"message": "Problems parsing JSON"}), BadAnswer, "400"),
        (Reply(200, b"<html>Sign in</html>"), BadAnswer, "not JSON"),
        (Reply(200, b""), BadAnswer, "not JSON"),
        (Reply(204, b""), BadAnswer, "not JSON"),
        (Reply(200, b"[" * 100_000), BadAnswer, "not JSON"),
        (Reply(200, b'{"id": ' + b"9" * 5_000 + b"}"), BadAnswer, "not JSON"),
        (Reply(200, b"\xff\xfe{}"), BadAnswer, "not JSON"),
        (Reply(200, []), BadAnswer, "not shaped"),
        (Reply(200, {}), BadAnswer, "not shaped"),
        (Reply(200, None), BadAnswer, "not JSON"),
        (Reply(304, None), BadAnswer, "304"),
        (Reply(302, None, {"Location": "http://169.254.169.254/latest/meta-data"}), Unreachable, "metadata"),
        (Reply(302, None, {"Location": "http://10.0.0.1/"}), Unreachable, "into the network of this server"),
        (Reply(302, None, {"Location": "file:///etc/passwd"}), Unreachable, "http and https"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else None,
)
async def test_it_explains_every_refusal(
    reply: Reply, kind: type[HostError], words: str, github: FakeGitHub, connect: Connect
) -> None:
    github.add_repository(SHOP)
    github.answer("/repos/", reply)
    async with asking(connect) as host:
        with pytest.raises(kind) as error:
            await host.repository(SHOP)
    told = f"{error.value.reason} {error.value.remedy}"
    assert words in told and TOKEN not in told and "authorization_request" not in told
    assert error.value.reason and error.value.remedy and str(error.value) == told
    assert TOKEN not in "".join(traceback.format_exception(error.value))


NO_DIFF = {
    "message": "Server Error: Sorry, this diff is taking too long to generate.",
    "errors": [{"resource": "PullRequest", "field": "diff", "code": "not_available"}],
}
TOO_LARGE = {
    "message": "Sorry, the diff exceeded the maximum number of lines (20000)",
    "errors": [{"resource": "PullRequest", "field": "diff", "code": "too_large"}],
}


@pytest.mark.parametrize("reply", [Reply(422, NO_DIFF), Reply(500, NO_DIFF), Reply(406, TOO_LARGE)], ids=["422", "500", "406"])
async def test_it_says_that_a_diff_is_too_large(reply: Reply, github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base = shop.commit("Start")
    number = shop.open_pull("Many", File("a.py"))
    github.answer("/", *[reply] * 3)
    async with asking(connect) as host:
        found = await host.pull_request_files(SHOP, number)
        assert (found.files, found.is_complete) == ((), False)
        for asked in (host.compare(SHOP, base, base), host.commit(SHOP, base)):
            with pytest.raises(NoDiff) as error:
                await asked
            assert isinstance(error.value, BadAnswer) and not error.value.is_passing


async def test_it_waits_for_a_diff_that_is_only_late(github: FakeGitHub, connect: Connect) -> None:
    message = {"message": "Sorry, this diff is temporarily unavailable due to heavy server load."}
    github.answer("/", Reply(422, message))
    async with asking(connect) as host:
        with pytest.raises(BadAnswer) as error:
            await host.pull_request_files(SHOP, 1)
        assert error.value.is_passing


async def test_it_says_that_a_host_is_away(connect: Connect) -> None:
    access = connect()
    object.__setattr__(access, "host_url", f"http://127.0.0.1:{free_port()}")
    async with GitHub(access) as host:
        with pytest.raises(Unreachable, match="refused") as error:
            await host.repository(SHOP)
    assert error.value.is_passing


async def test_it_asks_again_for_what_it_knows_at_no_cost(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP, private=True)
    base, head = shop.commit("Start"), shop.commit("Next", File("a.py"))
    access = connect()
    async with GitHub(access) as host:
        first = await host.compare(SHOP, base, head)
    left = github.remaining
    async with GitHub(access) as host:
        assert await host.compare(SHOP, base, head) == first
    assert [seen.status for seen in github.requests] == [200, 304] and github.remaining == left
    github.revoke(TOKEN)
    async with GitHub(access) as host:
        with pytest.raises(TokenRefused):
            await host.compare(SHOP, base, head)


# Tokens


@pytest.mark.parametrize(
    ("scopes", "may"), [(("repo", "read:org"), True), (("public_repo",), True), (("read:org",), False), ((), False)]
)
async def test_it_reads_the_scopes_of_a_classic_token(
    scopes: tuple[str, ...], may: bool, github: FakeGitHub, connect: Connect
) -> None:
    github.add_token("ghp_one", login="grace", scopes=scopes, expires="2026-12-24 18:00:00 UTC")
    async with asking(connect, "ghp_one") as host:
        for _ in range(2):
            found = await host.token()
            assert (found.login, found.granted, found.may_read, found.may_write) == ("grace", scopes, may, may)
            assert found.expires_at == datetime(2026, 12, 24, 18, tzinfo=UTC)
    assert [seen.status for seen in github.requests] == [200, 200], "what it may do is in headers, which a 304 may lack"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-12-24 18:00:00 -0800", datetime(2026, 12, 25, 2, tzinfo=UTC)),
        ("", None),
        ("soon", None),
        ("0001-01-01 00:00:00 +1400", None),
    ],
)
async def test_it_does_not_guess_what_a_fine_grained_token_may(
    written: str, expected: datetime | None, github: FakeGitHub, connect: Connect
) -> None:
    github.add_token(FINE_GRAINED, scopes=None, permissions=dict(READ), expires=written)
    async with asking(connect, FINE_GRAINED) as host:
        found = await host.token()
    assert (found.granted, found.may_read, found.may_write, found.expires_at) == ((), None, None, expected)


# Writing


def test_it_writes_only_with_a_connection_made_for_it(connect: Connect) -> None:
    with pytest.raises(TypeError):
        WritableGitHub(connect())  # type: ignore[arg-type]
    assert not hasattr(GitHub, "create_branch") and not hasattr(GitHub, "open_pull_request")


async def test_it_opens_a_draft_once(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP, private=True)
    base = shop.commit("Start")
    shop.commit("Next", File("a.py"))
    async with writing(connect) as host:
        for _ in range(2):
            await host.create_branch(SHOP, "fix/a b", base)
        assert shop.branches["fix/a b"] == base
        shop.commit("Fix", File("a.py"), branch="fix/a b")
        first = await host.open_pull_request(SHOP, "fix/a b", "main", "Fix it", "Why.")
        again = await host.open_pull_request(SHOP, "fix/a b", "main", "Fix it", "Why.")
    assert first == again and (first.title, first.body, first.state) == ("Fix it", "Why.", PullRequestState.OPEN)
    (made,) = shop.pulls.values()
    assert made.draft and (made.head, made.base) == ("fix/a b", "main")


async def test_it_opens_a_draft_in_a_renamed_repository(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository("old/shop")
    base = shop.commit("Start")
    github.rename("old/shop", "new/shop")
    async with writing(connect) as host:
        await host.create_branch("old/shop", "fix", base)
        shop.commit("Fix", File("a.py"), branch="fix")
        first = await host.open_pull_request("old/shop", "fix", "main", "Fix it", "")
        assert first == await host.open_pull_request("old/shop", "fix", "main", "Fix it", "")
    assert len(shop.pulls) == 1


async def test_it_moves_no_branch_that_is_there(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    base, head = shop.commit("Start"), shop.commit("Next")
    shop.branches["fix"] = head
    async with writing(connect) as host:
        with pytest.raises(HostError, match="has a branch fix already, at another commit"):
            await host.create_branch(SHOP, "fix", base)
        with pytest.raises(UnknownCommit):
            await host.create_branch(SHOP, "other", NOWHERE)
    assert shop.branches["fix"] == head and "other" not in shop.branches


async def test_it_says_why_no_pull_request_was_opened(github: FakeGitHub, connect: Connect) -> None:
    shop = github.add_repository(SHOP)
    shop.branches["same"] = shop.commit("Start")
    shop.commit("Fix", File("a.py"), branch="fix")
    shop.takes_drafts = False
    async with writing(connect) as host:
        with pytest.raises(NotPermitted, match="takes no draft"):
            await host.open_pull_request(SHOP, "fix", "main", "Fix", "")
        with pytest.raises(HostError, match="nothing in same that main has not"):
            await host.open_pull_request(SHOP, "same", "main", "Fix", "")
        for head, base in (("gone", "main"), ("fix", "gone")):
            with pytest.raises(UnknownCommit, match="lacks the branch"):
                await host.open_pull_request(SHOP, head, base, "Fix", "")
        github.answer("/pulls", Reply(422, {"message": "Something new"}))
        with pytest.raises(BadAnswer, match="422") as error:
            await host.open_pull_request(SHOP, "fix", "main", "Fix", "")
        assert "Something new" not in str(error.value)
    assert not shop.pulls


async def test_it_says_what_a_token_lacks_for_writing(github: FakeGitHub, connect: Connect) -> None:
    base = github.add_repository(SHOP).commit("Start")
    github.add_token(FINE_GRAINED, scopes=None, permissions=dict(READ))
    async with writing(connect, FINE_GRAINED) as host:
        with pytest.raises(NotPermitted, match="Contents: write and Pull requests: write"):
            await host.create_branch(SHOP, "fix", base)
