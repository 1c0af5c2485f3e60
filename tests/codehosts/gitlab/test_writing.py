"""Branches and draft merge requests, however often they are asked for."""

from __future__ import annotations

import pytest

from blametrail.codehosts.facts import PullRequestState
from blametrail.codehosts.gitlab.client import LONGEST_TITLE
from blametrail.codehosts.host import BadAnswer, HostError, NotPermitted, NotVisible, UnknownCommit
from tests.codehosts.gitlab.asking import writing
from tests.peers.gitlab import FakeGitLab, Project

SHOP = "acme/web/shop"
BRANCH = "blametrail/revert-12"


@pytest.fixture
def shop(gitlab: FakeGitLab) -> Project:
    project = gitlab.add_project(SHOP)
    project.commit("Begin")
    return project


def posts(gitlab: FakeGitLab) -> int:
    return sum(request.method == "POST" for request in gitlab.requests)


async def test_it_makes_a_branch_once(gitlab: FakeGitLab, shop: Project) -> None:
    sha = shop.branches["main"]
    async with writing(gitlab) as client:
        for _ in range(2):
            await client.create_branch(SHOP, BRANCH, sha)
    assert shop.branches[BRANCH] == sha
    assert posts(gitlab) == 1


async def test_it_does_not_move_a_branch_that_is_elsewhere(gitlab: FakeGitLab, shop: Project) -> None:
    first = shop.branches[BRANCH] = shop.branches["main"]
    second = shop.commit("Add a cart")
    async with writing(gitlab) as client:
        with pytest.raises(HostError, match="at another commit") as raised:
            await client.create_branch(SHOP, BRANCH, second)
    assert not raised.value.is_passing
    assert shop.branches[BRANCH] == first
    assert posts(gitlab) == 0


async def test_it_says_when_the_branch_cannot_begin_there(gitlab: FakeGitLab, shop: Project) -> None:
    async with writing(gitlab) as client:
        with pytest.raises(UnknownCommit):
            await client.create_branch(SHOP, BRANCH, "f" * 40)
    assert BRANCH not in shop.branches


async def test_it_tries_again_when_another_was_quicker(gitlab: FakeGitLab, shop: Project) -> None:
    gitlab.fail(404, {"message": "404 Branch Not Found"}, where="/repository/branches/", times=1)
    shop.branches[BRANCH] = shop.branches["main"]
    async with writing(gitlab) as client:
        with pytest.raises(BadAnswer) as raised:
            await client.create_branch(SHOP, BRANCH, shop.branches["main"])
        assert raised.value.is_passing
        await client.create_branch(SHOP, BRANCH, shop.branches["main"])


async def test_it_opens_one_draft(gitlab: FakeGitLab, shop: Project) -> None:
    head = shop.commit("Revert", branch=BRANCH)
    async with writing(gitlab) as client:
        made = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "It broke orders.")
        again = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "It broke orders.")
    assert made == again
    assert (made.title, made.body, made.state) == ("Draft: Revert the cart", "It broke orders.", PullRequestState.OPEN)
    assert (made.head_branch, made.base_branch, made.head_sha) == (BRANCH, "main", head)
    assert list(shop.merge_requests) == [1]
    assert posts(gitlab) == 1


async def test_it_does_not_take_the_request_of_a_fork_for_its_own(gitlab: FakeGitLab, shop: Project) -> None:
    shop.commit("Revert", branch=BRANCH)
    shop.merge_request("From a fork", source=BRANCH).source_project_id = 99
    async with writing(gitlab) as client:
        made = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "")
    assert made.number == 2


async def test_it_opens_another_when_the_first_was_closed(gitlab: FakeGitLab, shop: Project) -> None:
    shop.commit("Revert", branch=BRANCH)
    async with writing(gitlab) as client:
        first = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "")
        shop.merge_requests[first.number].state = "closed"
        second = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "")
    assert (first.number, second.number) == (1, 2)


async def test_it_cuts_a_title_that_is_too_long(gitlab: FakeGitLab, shop: Project) -> None:
    shop.commit("Revert", branch=BRANCH)
    async with writing(gitlab) as client:
        made = await client.open_pull_request(SHOP, BRANCH, "main", "x" * 1_000, "")
    assert (len(made.title), made.title[:8]) == (LONGEST_TITLE, "Draft: x")


async def test_it_writes_to_a_renamed_project(gitlab: FakeGitLab, shop: Project) -> None:
    shop.rename("acme/store")
    async with writing(gitlab) as client:
        await client.create_branch(SHOP, BRANCH, shop.branches["main"])
        made = await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "")
    assert made.url == f"{gitlab.url}/acme/store/-/merge_requests/1"


async def test_it_says_what_a_reading_token_may_not(gitlab: FakeGitLab, shop: Project) -> None:
    gitlab.add_token("glpat-reader", "read_api")
    gitlab.add_token("glpat-reporter", "api", role="reporter")
    for token, words in (("glpat-reader", "this needs api"), ("glpat-reporter", "Developer")):
        async with writing(gitlab, token) as client:
            with pytest.raises(NotPermitted, match=words):
                await client.create_branch(SHOP, BRANCH, shop.branches["main"])
    assert BRANCH not in shop.branches


async def test_it_writes_nothing_where_the_project_is_not_visible(gitlab: FakeGitLab, shop: Project) -> None:
    gitlab.add_token("glpat-stranger", projects=())
    async with writing(gitlab, "glpat-stranger") as client:
        with pytest.raises(NotVisible):
            await client.create_branch(SHOP, BRANCH, shop.branches["main"])
        with pytest.raises(NotVisible):
            await client.open_pull_request(SHOP, BRANCH, "main", "Revert the cart", "")
    assert posts(gitlab) == 0


async def test_it_says_that_a_wrong_branch_stays_wrong(gitlab: FakeGitLab, shop: Project) -> None:
    async with writing(gitlab) as client:
        with pytest.raises(BadAnswer) as raised:
            await client.open_pull_request(SHOP, "nowhere", "main", "Revert the cart", "")
    assert not raised.value.is_passing
