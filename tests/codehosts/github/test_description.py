"""GitHub's own words: its description of the API, its examples, and answers that were recorded from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest

from blametrail.codehosts.access import Credential, Level, WriteAccess
from blametrail.codehosts.facts import PullRequestState
from blametrail.codehosts.github import parse
from blametrail.codehosts.github.app import App, convert_manifest, installations
from blametrail.codehosts.github.client import GitHub, WritableGitHub
from blametrail.codehosts.github.refusals import Rejected, explainer
from blametrail.codehosts.host import UnknownCommit
from tests.codehosts.github.conftest import Connect
from tests.peers.github import WRITE, FakeGitHub, File, Seen
from tests.peers.github_description import FOLDER, PATHS, violations
from tests.running import ROOT

PACKAGES = ROOT / ".tools" / "node_modules" / "@octokit"


async def ask_everything(github: FakeGitHub, connect: Connect) -> None:
    """Every question that the client has, as a token and as an app."""
    shop = github.add_repository("acme/shop", private=True)
    base = shop.commit("Start")
    shop.merge(
        "Binary", File("logo.png", "added", 0, 0, None), File("new.py", "renamed", 0, 0, None, "old.py"), labels=("bug",)
    )
    number = shop.merge("Merged", File("app.py"), how="merge", body=None)
    shop.commit("By nobody known", File("gone.py", "removed", 0, 9), login="")
    shop.open_pull("Open", author="")
    for many in range(120):
        shop.commit(str(many))
    app = github.add_app(permissions=dict(WRITE))
    for access in (connect(level=Level.WRITE), connect(app.private_key, app_id="7", level=Level.WRITE)):
        async with WritableGitHub(cast(WriteAccess, access)) as host:
            await host.token()
            await host.repository("acme/shop")
            await host.compare("acme/shop", base, "main")
            await host.commit("acme/shop", "main")
            for sha in shop.pulls[number].commits:
                await host.pull_requests_of("acme/shop", sha)
            await host.pull_request("acme/shop", number)
            await host.pull_request("acme/shop", 999)
            await host.pull_request_files("acme/shop", 1)
            assert [_ async for _ in host.merged_since("acme/shop", datetime(2020, 1, 1, tzinfo=UTC))]
            name = f"fix-{access.credential}"
            await host.create_branch("acme/shop", name, base)
            await host.create_branch("acme/shop", name, base)
            shop.commit("Fix", File("fix.py"), branch=name)
            for _ in range(2):
                await host.open_pull_request("acme/shop", name, "main", "Fix", "Why")
            with pytest.raises(UnknownCommit):
                await host.commit("acme/shop", "f" * 40)
    await installations(App(github.url, "7", app.private_key))
    github.offer_manifest("code")
    await convert_manifest(github.url, "code")


@pytest.mark.parametrize("name", ["github", "ghes"])
async def test_it_asks_and_is_answered_as_github_describes(name: str, github: FakeGitHub, connect: Connect) -> None:
    await ask_everything(github, connect)
    # GitHub describes what it answers when all is well; 422 for an unknown commit it does not.
    assert list(violations(name, github.requests)) == []
    asked = {(seen.method, seen.path.count("/"), seen.status) for seen in github.requests}
    assert len(asked) >= len(PATHS)


def test_it_notices_what_github_does_not_describe(github: FakeGitHub) -> None:
    """The comparison with the description can fail: for wrong answers, wrong requests, and addresses that there are not."""
    api = f"{github.url}/api/v3"
    github.add_repository("acme/shop").commit("Start")
    for path in ("/repos/acme/shop", "/repos/acme/shop/pulls?state=merged", "/repos/acme/shop/commit/x"):
        httpx.get(api + path)
    fine, wrong_state, nowhere = github.requests
    lacking = {key: value for key, value in fine.answer.items() if key != "default_branch"}
    shaped = Seen(fine.method, fine.path, fine.query, fine.headers, fine.body, fine.status, {**fine.answer, "private": "no"})
    for name in ("github", "ghes"):
        assert list(violations(name, [fine])) == []
        for wrong in (wrong_state, nowhere, shaped, Seen("GET", fine.path, {}, {}, None, 200, lacking)):
            assert len(list(violations(name, [wrong]))) == 1, wrong.path


EXAMPLES: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("/repos/{owner}/{repo}", "get"): parse.repository,
    ("/repos/{owner}/{repo}/compare/{basehead}", "get"): parse.comparison,
    ("/repos/{owner}/{repo}/commits/{ref}", "get"): lambda body: parse.commit_detail(body, []),
    ("/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "get"): parse.pull_requests,
    ("/repos/{owner}/{repo}/pulls", "get"): parse.pull_requests,
    ("/repos/{owner}/{repo}/pulls/{pull_number}", "get"): parse.pull_request,
    ("/repos/{owner}/{repo}/pulls/{pull_number}/files", "get"): parse.files,
}


@pytest.mark.parametrize("name", ["github", "ghes"])
@pytest.mark.parametrize("operation", EXAMPLES, ids=lambda operation: operation[0])
def test_it_reads_github_s_own_examples(name: str, operation: tuple[str, str]) -> None:
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    answer = whole["paths"][operation[0]][operation[1]]["responses"]["200"]
    examples = answer["content"]["application/json"]["examples"]
    assert examples
    for example in examples.values():
        named = whole["components"]["examples"].get(example.get("$ref", "").rsplit("/", 1)[-1], example)
        assert EXAMPLES[operation](named["value"])


def recorded(scenario: str) -> list[dict[str, Any]]:
    path = PACKAGES / "fixtures/scenarios/api.github.com" / scenario / "normalized-fixture.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_it_reads_recorded_repositories() -> None:
    (answer,) = recorded("get-repository")
    found = parse.repository(answer["response"])
    assert (found.path, found.default_branch) == ("octokit-fixture-org/hello-world", "master")
    renamed = [parse.repository(one["response"]).path for one in recorded("rename-repository") if one["status"] == 200]
    assert renamed[:2] == ["octokit-fixture-org/rename-repository-newname"] * 2


def test_it_knows_how_github_redirects() -> None:
    """Reading by 301, writing by 307, both to the repository's number: what the stand-in does, too."""
    asked = {one["method"]: one for one in recorded("rename-repository") if one["status"] in {301, 307}}
    assert (asked["get"]["status"], asked["patch"]["status"]) == (301, 307)
    for one in asked.values():
        assert one["responseHeaders" if "responseHeaders" in one else "headers"]["location"].endswith("/repositories/1000")


def test_it_reads_recorded_refusals() -> None:
    (answer,) = recorded("errors")
    response = httpx.Response(
        answer["status"], json=answer["response"], request=httpx.Request("POST", "https://api.github.com")
    )
    error = explainer("github.com", Credential.TOKEN)(response)
    assert isinstance(error, Rejected) and "invalid" in error.words and "color" in error.words


def test_it_reads_recorded_pull_requests() -> None:
    """Of webhooks, which carry them whole, as GitHub.com and old Enterprise Servers sent them."""
    found = defaultdict(set)
    for index in sorted((PACKAGES / "webhooks-examples").glob("*/index.json")):
        for event in json.loads(index.read_text()):
            if event["name"] == "pull_request":
                for example in event["examples"]:
                    fact = parse.pull_request(example["pull_request"])
                    found[index.parent.name].add(fact.state)
    assert found["api.github.com"] == {PullRequestState.OPEN, PullRequestState.CLOSED}
    assert len(found) > 1 and all(found.values())


def test_it_reads_repositories_of_recorded_webhooks() -> None:
    events = json.loads((PACKAGES / "webhooks-examples/api.github.com/index.json").read_text())
    whole = [
        one["repository"] for event in events for one in event["examples"] if "default_branch" in one.get("repository", {})
    ]
    assert len(whole) > 100
    for repository in whole:
        assert parse.repository(repository).path == repository["full_name"]


def test_it_asks_every_question_that_there_is() -> None:
    """The client's public methods are those that are asked above."""
    questions = {name for name in vars(GitHub) | vars(WritableGitHub) if not name.startswith("_")} - {"calls"}
    source = ask_everything.__code__.co_names + tuple(
        name for const in ask_everything.__code__.co_consts if hasattr(const, "co_names") for name in const.co_names
    )
    assert questions <= set(source)
