"""What GitLab tells of projects, commits and merge requests, against a stand-in that keeps to its description."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blametrail.codehosts.facts import FileFact, FileStatus, PullRequestState, Relation
from blametrail.codehosts.gitlab.client import MOST_FILES, GitLab
from blametrail.codehosts.host import MOST_COMMITS, UnknownCommit
from tests.codehosts.gitlab.asking import access, ask
from tests.peers.gitlab import BEGINNING, Change, FakeGitLab, Project

PATCH = "@@ -1,2 +1,3 @@\n kept\n-old\n+new\n+newer\n"
SHOP = "acme/web/shop"


@pytest.fixture
def shop(gitlab: FakeGitLab) -> Project:
    """A project in a subgroup with one commit."""
    project = gitlab.add_project(SHOP)
    project.commit("Begin", [Change("README.md", "@@ -0,0 +1 @@\n+Shop\n", is_new=True)])
    return project


class TestProjects:
    async def test_it_reads_a_project_in_a_subgroup(self, gitlab: FakeGitLab, shop: Project) -> None:
        found = await ask(gitlab, lambda client: client.repository(SHOP))
        assert (found.path, found.default_branch, found.is_private) == (SHOP, "main", True)
        assert found.url == f"{gitlab.url}/{SHOP}"
        assert gitlab.requests[0].path == "/projects/acme%2Fweb%2Fshop"
        assert gitlab.requests[0].headers["private-token"] == "glpat-all"

    @pytest.mark.parametrize(("visibility", "is_private"), [("public", False), ("internal", True), ("private", True)])
    async def test_it_calls_private_what_not_everybody_sees(
        self, gitlab: FakeGitLab, visibility: str, is_private: bool
    ) -> None:
        gitlab.add_project(SHOP, visibility=visibility)
        found = await ask(gitlab, lambda client: client.repository(SHOP))
        assert found.is_private == is_private
        assert found.default_branch == ""  # it has no commit yet

    async def test_it_follows_a_renamed_project(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["main"]
        head = shop.commit("Add a cart")
        shop.rename("acme/store")
        found = await ask(gitlab, lambda client: client.repository(SHOP))
        assert found.path == "acme/store"
        compared = await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert [commit.sha for commit in compared.commits] == [head]

    async def test_it_reads_below_a_path_of_the_host(self, gitlab: FakeGitLab, shop: Project) -> None:
        gitlab.fail(200, {"path_with_namespace": SHOP, "visibility": "public"}, where="/gitlab/api/v4/projects/")
        async with GitLab(access(f"{gitlab.url}/gitlab")) as client:
            assert (await client.repository(SHOP)).path == SHOP


class TestComparisons:
    async def test_it_lists_the_commits_of_a_deploy_oldest_first(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["main"]
        first = shop.commit("Add a cart\n\nWith a body.", author="Ada")
        second = shop.commit("Mend the cart", [Change("cart.py", PATCH)], author="Linus")
        async with GitLab(access(gitlab.url)) as client:
            found = await client.compare(SHOP, base, second)
            assert client.calls <= 2
        assert [commit.sha for commit in found.commits] == [first, second]
        assert [commit.author for commit in found.commits] == ["Ada", "Linus"]
        assert (found.relation, found.total_commits) == (Relation.AHEAD, 2)
        assert found.commits[0].message == "Add a cart\n\nWith a body."
        assert found.commits[1].parents == (first,)
        assert found.commits[0].authored_at == BEGINNING + timedelta(minutes=1)
        assert found.changes.files == (FileFact("cart.py", FileStatus.MODIFIED, 2, 1, "", PATCH),)
        assert found.changes.is_complete

    async def test_it_asks_once_for_a_hundred_commits(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["main"]
        for number in range(100):
            head = shop.commit(f"Change {number}", [Change(f"{number}.py", PATCH)])
        found = await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert (found.total_commits, len(found.changes.files), len(gitlab.requests)) == (100, 100, 1)

    async def test_it_keeps_the_newest_of_very_many_commits(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["main"]
        for number in range(MOST_COMMITS + 3):
            head = shop.commit(f"Change {number}")
        found = await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert (found.total_commits, len(found.commits)) == (MOST_COMMITS + 3, MOST_COMMITS)
        assert (found.commits[0].message, found.commits[-1].sha) == ("Change 3", head)
        assert found.relation == Relation.AHEAD  # though the base's child is not among them

    async def test_it_knows_the_same_commit(self, gitlab: FakeGitLab, shop: Project) -> None:
        sha = shop.branches["main"]
        found = await ask(gitlab, lambda client: client.compare(SHOP, sha, sha))
        assert (found.relation, found.commits, found.changes.files) == (Relation.SAME, (), ())

    async def test_it_knows_a_rollback(self, gitlab: FakeGitLab, shop: Project) -> None:
        older = shop.branches["main"]
        newer = shop.commit("Add a cart")
        found = await ask(gitlab, lambda client: client.compare(SHOP, newer, older))
        assert (found.relation, found.commits) == (Relation.BEHIND, ())

    async def test_it_knows_diverged_commits(self, gitlab: FakeGitLab, shop: Project) -> None:
        root = shop.branches["main"]
        base = shop.commit("Add a cart")
        head = shop.commit("Add a till", branch="release", parents=[root])
        found = await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert (found.relation, [commit.sha for commit in found.commits]) == (Relation.DIVERGED, [head])

    async def test_it_knows_what_comes_after_by_a_merge(self, gitlab: FakeGitLab, shop: Project) -> None:
        root = shop.branches["main"]
        base = shop.commit("Add a cart")
        side = shop.commit("Add a till", branch="feature", parents=[root])
        head = shop.commit("Merge", parents=[base, side])
        found = await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert (found.relation, {commit.sha for commit in found.commits}) == (Relation.AHEAD, {side, head})

    async def test_it_takes_short_hashes_and_names(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["v1.0/final"] = shop.branches["main"]
        head = shop.commit("Add a cart")
        short = await ask(gitlab, lambda client: client.compare(SHOP, base[:9], head[:9]))
        named = await ask(gitlab, lambda client: client.compare(SHOP, "v1.0/final", "main"))
        assert short.relation == named.relation == Relation.AHEAD
        assert len(gitlab.requests) == 3  # one more to learn which commit the name is of

    @pytest.mark.parametrize("gone", ["base", "head"])
    async def test_it_says_when_a_commit_is_gone(self, gitlab: FakeGitLab, shop: Project, gone: str) -> None:
        base, head = shop.branches["main"], shop.commit("Add a cart")
        shop.forget(base if gone == "base" else head)
        with pytest.raises(UnknownCommit, match="force-pushed"):
            await ask(gitlab, lambda client: client.compare(SHOP, base, head))
        assert len(gitlab.requests) == 1

    async def test_it_asks_for_the_project_when_a_404_says_nothing(self, gitlab: FakeGitLab, shop: Project) -> None:
        gitlab.fail(404, {"message": "404 Not Found"}, where="/compare")
        with pytest.raises(UnknownCommit):
            await ask(gitlab, lambda client: client.compare(SHOP, "a" * 40, "b" * 40))
        assert [request.path for request in gitlab.requests][1:] == ["/projects/acme%2Fweb%2Fshop"]


class TestFiles:
    async def test_it_tells_what_happened_to_each_file(self, gitlab: FakeGitLab, shop: Project) -> None:
        base = shop.branches["main"]
        head = shop.commit(
            "Tidy",
            [
                Change("new.py", "@@ -0,0 +1,2 @@\n+one\n+two\n", is_new=True),
                Change("gone.py", "@@ -1 +0,0 @@\n-one\n\\ No newline at end of file\n", is_deleted=True),
                Change("lib/here.py", "", old_path="there.py"),
                Change("lib/now.py", PATCH, old_path="then.py"),
                Change("logo.png", "Binary files a/logo.png and b/logo.png differ\n"),
                Change(
                    "notes.sql", "--- a/notes.sql\n+++ b/notes.sql\n@@ -1,2 +1,2 @@\n--- was a comment\n+++ is none\n same\n"
                ),
            ],
        )
        found = (await ask(gitlab, lambda client: client.compare(SHOP, base, head))).changes
        told = [(f.path, f.status, f.added, f.removed, f.old_path) for f in found.files]
        assert told == [
            ("new.py", FileStatus.ADDED, 2, 0, ""),
            ("gone.py", FileStatus.REMOVED, 0, 1, ""),
            ("lib/here.py", FileStatus.RENAMED, 0, 0, "there.py"),
            ("lib/now.py", FileStatus.RENAMED, 2, 1, "then.py"),
            ("logo.png", FileStatus.MODIFIED, 0, 0, ""),
            ("notes.sql", FileStatus.MODIFIED, 1, 1, ""),
        ]
        assert [f.patch is None for f in found.files] == [False, False, True, False, True, False]
        assert (found.files[-1].patch or "").startswith("@@ -1,2")
        assert found.is_complete

    @pytest.mark.parametrize("how", ["too_large", "collapsed"])
    async def test_it_says_when_a_file_is_shortened(self, gitlab: FakeGitLab, shop: Project, how: str) -> None:
        base = shop.branches["main"]
        head = shop.commit("Add data", [Change("data.json", PATCH, too_large=how == "too_large", collapsed=how == "collapsed")])
        found = (await ask(gitlab, lambda client: client.compare(SHOP, base, head))).changes
        assert (found.files[0].patch, found.is_complete) == (None, False)

    async def test_it_says_when_files_are_left_out(self, gitlab: FakeGitLab, shop: Project) -> None:
        base, shop.most_files = shop.branches["main"], 5
        head = shop.commit("Format all", [Change(f"{number}.py", PATCH) for number in range(6)])
        found = (await ask(gitlab, lambda client: client.compare(SHOP, base, head))).changes
        assert (len(found.files), found.is_complete) == (5, False)

    async def test_it_reads_a_commit_of_more_than_a_page_of_files(self, gitlab: FakeGitLab, shop: Project) -> None:
        sha = shop.commit("Format all", [Change(f"{number}.py", PATCH) for number in range(250)])
        found = await ask(gitlab, lambda client: client.commit(SHOP, sha))
        assert [file.path for file in found.changes.files] == [f"{number}.py" for number in range(250)]
        assert (found.commit.sha, found.commit.message, found.changes.is_complete) == (sha, "Format all", True)
        assert len(gitlab.requests) == 4

    async def test_it_notices_that_a_large_commit_is_cut(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.most_files = 150
        sha = shop.commit("Format all", [Change(f"{number}.py", PATCH) for number in range(250)])
        found = await ask(gitlab, lambda client: client.commit(SHOP, sha))
        assert (len(found.changes.files), found.changes.is_complete) == (150, False)

    async def test_it_stops_at_more_files_than_anybody_reads(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.most_files = 10_000
        sha = shop.commit("Import", [Change(f"{number}.py", "") for number in range(MOST_FILES + 500)])
        found = await ask(gitlab, lambda client: client.commit(SHOP, sha))
        assert (len(found.changes.files), found.changes.is_complete) == (MOST_FILES, False)

    async def test_it_says_when_a_commit_is_unknown(self, gitlab: FakeGitLab, shop: Project) -> None:
        for question in ("commit", "pull_requests_of"):
            with pytest.raises(UnknownCommit):
                await ask(gitlab, lambda client, question=question: getattr(client, question)(SHOP, "f" * 40))  # type: ignore[misc]


class TestMergeRequests:
    async def test_it_reads_one_that_is_open(self, gitlab: FakeGitLab, shop: Project) -> None:
        head = shop.commit("Add a cart", [Change("cart.py", PATCH)], branch="feature")
        shop.merge_request("Add a cart", author="grace", labels=["backend", "two\nlines"], description="Why: orders.")
        found = await ask(gitlab, lambda client: client.pull_request(SHOP, 1))
        assert found is not None
        assert (found.number, found.title, found.body, found.author) == (1, "Add a cart", "Why: orders.", "grace")
        assert (found.state, found.merged_at, found.merge_sha) == (PullRequestState.OPEN, None, "")
        assert (found.base_branch, found.head_branch, found.head_sha) == ("main", "feature", head)
        assert found.labels == ("backend", "two lines")
        assert found.url == f"{gitlab.url}/{SHOP}/-/merge_requests/1"

    @pytest.mark.parametrize("how", ["merge", "squash", "squash-and-merge", "fast-forward"])
    async def test_it_knows_which_commit_brought_it(self, gitlab: FakeGitLab, shop: Project, how: str) -> None:
        base, head = shop.branches["main"], shop.commit("Add a cart", [Change("cart.py", PATCH)], branch="feature")
        made = shop.merge_request("Add a cart", how=how)
        found = await ask(gitlab, lambda client: client.pull_request(SHOP, 1))
        expected = made.squash_commit or made.merge_commit or head
        assert found is not None
        assert (found.state, found.merge_sha, found.merged_at) == (PullRequestState.MERGED, expected, made.merged_at)
        compared = await ask(gitlab, lambda client: client.compare(SHOP, base, "main"))
        assert expected in {commit.sha for commit in compared.commits}
        [brought] = await ask(gitlab, lambda client: client.pull_requests_of(SHOP, expected))
        assert brought == found

    async def test_it_keeps_apart_the_requests_of_one_merge_train(self, gitlab: FakeGitLab, shop: Project) -> None:
        tips = []
        for number in (1, 2, 3):
            shop.branches[f"feature-{number}"] = shop.branches["main"]
            tips.append(shop.commit(f"Change {number}", [Change(f"{number}.py")], branch=f"feature-{number}"))
        for number in (1, 2, 3):
            shop.merge_request(f"Change {number}", source=f"feature-{number}", how="merge")
        for number, tip in enumerate(tips, 1):
            [found] = await ask(gitlab, lambda client, tip=tip: client.pull_requests_of(SHOP, tip))  # type: ignore[misc]
            assert (found.number, found.merge_sha) == (number, shop.merge_requests[number].merge_commit)

    async def test_it_takes_one_that_is_being_merged_for_open(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.commit("Add a cart", branch="feature")
        shop.merge_request("Add a cart").state = "locked"
        found = await ask(gitlab, lambda client: client.pull_request(SHOP, 1))
        assert found is not None
        assert (found.state, found.merge_sha) == (PullRequestState.OPEN, "")

    async def test_it_knows_one_that_was_closed(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.commit("Add a cart", branch="feature")
        shop.merge_request("Add a cart", description=None).state = "closed"
        found = await ask(gitlab, lambda client: client.pull_request(SHOP, 1))
        assert found is not None
        assert (found.state, found.body, found.merge_sha) == (PullRequestState.CLOSED, "", "")

    async def test_it_answers_none_for_a_number_that_is_not_there(self, gitlab: FakeGitLab, shop: Project) -> None:
        assert await ask(gitlab, lambda client: client.pull_request(SHOP, 12)) is None

    async def test_it_finds_all_requests_of_a_commit(self, gitlab: FakeGitLab, shop: Project) -> None:
        sha = shop.commit("Add a cart", branch="feature")
        for number in range(130):
            shop.merge_request(f"Change {number}")
        found = await ask(gitlab, lambda client: client.pull_requests_of(SHOP, sha))
        assert [one.number for one in found] == list(range(1, 131))
        assert len(gitlab.requests) == 2

    async def test_it_lists_the_files_of_all_pages(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.commit("Format", [Change(f"{number}.py", PATCH) for number in range(230)], branch="feature")
        shop.merge_request("Format", how="merge")
        found = await ask(gitlab, lambda client: client.pull_request_files(SHOP, 1))
        assert [file.path for file in found.files] == [f"{number}.py" for number in range(230)]
        assert found.is_complete

    async def test_it_asks_once_for_the_files_of_a_usual_one(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.commit("Mend", [Change("cart.py", PATCH)], branch="feature")
        shop.merge_request("Mend")
        assert (await ask(gitlab, lambda client: client.pull_request_files(SHOP, 1))).is_complete
        assert len(gitlab.requests) == 1

    @pytest.mark.parametrize(("most", "is_complete"), [(120, False), (121, True)])
    async def test_it_notices_files_that_were_left_out(
        self, gitlab: FakeGitLab, shop: Project, most: int, is_complete: bool
    ) -> None:
        shop.most_files = most
        shop.commit("Format", [Change(f"{number}.py", PATCH) for number in range(121)], branch="feature")
        shop.merge_request("Format")
        found = await ask(gitlab, lambda client: client.pull_request_files(SHOP, 1))
        assert (len(found.files), found.is_complete) == (most, is_complete)

    async def test_it_notices_lines_that_were_left_out(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.most_files = 1
        shop.commit(
            "Add", [Change(f"{n}.py", "@@ -0,0 +1,60000 @@\n" + "+\n" * 60_000, is_new=True) for n in "ab"], branch="feature"
        )
        shop.merge_request("Add")
        found = await ask(gitlab, lambda client: client.pull_request_files(SHOP, 1))
        assert (found.files[0].added, found.is_complete) == (60_000, False)


class TestMergedSince:
    async def test_it_finds_those_merged_since_a_time_the_last_updated_first(self, gitlab: FakeGitLab, shop: Project) -> None:
        for number in range(250):
            shop.commit(f"Change {number}", branch="feature")
            shop.merge_request(f"Change {number}", how="fast-forward", merged_at=BEGINNING + timedelta(hours=number))
        shop.merge_requests[3].updated_at = BEGINNING + timedelta(days=90)  # merged long before: only a comment is new
        async with GitLab(access(gitlab.url)) as client:
            found = [one.number async for one in client.merged_since(SHOP, BEGINNING + timedelta(hours=20))]
        assert found == list(range(250, 20, -1))
        assert len(gitlab.requests) == 3

    async def test_it_asks_for_pages_as_they_are_needed(self, gitlab: FakeGitLab, shop: Project) -> None:
        for number in range(150):
            shop.commit(f"Change {number}", branch="feature")
            shop.merge_request(f"Change {number}", how="fast-forward")
        async with GitLab(access(gitlab.url)) as client:
            async for one in client.merged_since(SHOP, BEGINNING):
                assert one.number == 150
                break
        assert len(gitlab.requests) == 1

    async def test_it_leaves_out_what_is_open_or_closed(self, gitlab: FakeGitLab, shop: Project) -> None:
        shop.commit("Add a cart", branch="feature")
        shop.merge_request("Add a cart").state = "closed"
        shop.merge_request("Add a cart again")
        async with GitLab(access(gitlab.url)) as client:
            assert [one async for one in client.merged_since(SHOP, BEGINNING)] == []


class TestAskingAgain:
    async def test_it_does_not_fetch_twice_what_has_not_changed(self, gitlab: FakeGitLab, shop: Project) -> None:
        base, head = shop.branches["main"], shop.commit("Add a cart")
        async with GitLab(access(gitlab.url)) as client:
            first = await client.compare(SHOP, base, head)
            second = await client.compare(SHOP, base, head)
            assert client.calls == 2
        assert first == second
        assert [request.status for request in gitlab.requests] == [200, 304]

    async def test_it_makes_every_time_utc(self, gitlab: FakeGitLab, shop: Project) -> None:
        at = datetime.fromisoformat("2026-03-29T01:30:00+05:30")
        sha = shop.commit("Add a cart", at=at)
        found = (await ask(gitlab, lambda client: client.commit(SHOP, sha))).commit
        assert found.committed_at == at
        assert found.committed_at is not None
        assert found.committed_at.tzinfo is UTC
