"""GitLab as a code host."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Self
from urllib.parse import quote

from blametrail.codehosts import shapes
from blametrail.codehosts.access import Access, WriteAccess
from blametrail.codehosts.asking import Asker
from blametrail.codehosts.facts import CommitDetail, Comparison, Files, PullRequestFact, RepositoryFact, TokenFact
from blametrail.codehosts.gitlab import parse
from blametrail.codehosts.gitlab.refusals import SomethingMissing, explain, unknown_commit
from blametrail.codehosts.host import HostError, NotPermitted, NotVisible

PAGE = 100
MOST_FILES = 3_000
"""Of one change; GitLab itself keeps no more."""

SURELY_WHOLE = 100_000
"""Characters of patches of one change. GitLab leaves out files after 50,000 lines at least, and none is shorter than two."""

MOST_PULL_REQUESTS = 1_000
"""Of one commit."""

LONGEST_TITLE = 255
DRAFT = "Draft: "

_HASH = re.compile(r"[0-9a-fA-F]{7,64}")


class GitLab:
    """Reads with one access. Projects are addressed by their path, with its slashes escaped."""

    def __init__(self, access: Access) -> None:
        headers = {"PRIVATE-TOKEN": access.secret}
        self._asker = Asker(access.connection_id, f"{access.host_url}/api/v4", headers, explain)

    @property
    def calls(self) -> int:
        return self._asker.calls

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._asker.aclose()

    async def token(self) -> TokenFact:
        try:
            told = await self._asker.get("/personal_access_tokens/self")
        except NotVisible:  # GitLab before 15.5
            return TokenFact(await self._login(), (), None, None, None)
        return parse.token(told.body, await self._login())

    async def repository(self, path: str) -> RepositoryFact:
        return parse.repository((await self._asker.get(_project(path))).body)

    async def compare(self, path: str, base: str, head: str) -> Comparison:
        address, span = f"{_project(path)}/repository", {"from": base, "to": head, "straight": "false"}
        async with self._commits_of(path):
            answer = await self._asker.get(f"{address}/compare", **span)
            if _HASH.fullmatch(base) is None:  # the name of a branch or tag
                base = parse.commit((await self._asker.get(f"{address}/{_commit(base)}", stats="false")).body).sha
        return parse.comparison(answer.body, base)

    async def commit(self, path: str, sha: str) -> CommitDetail:
        address = f"{_project(path)}/repository/{_commit(sha)}"
        async with self._commits_of(path):
            told = (await self._asker.get(address)).body
            changes = await self._changes(f"{address}/diff")
        if _may_be_cut(changes) and _lines(changes) < parse.lines(told):
            changes = Files(changes.files, is_complete=False)
        return CommitDetail(parse.commit(told), changes)

    async def pull_request(self, path: str, number: int) -> PullRequestFact | None:
        try:
            answer = await self._asker.get(f"{_project(path)}/merge_requests/{number}")
        except SomethingMissing:
            await self.repository(path)
            return None
        return parse.pull_request(answer.body)

    async def pull_requests_of(self, path: str, sha: str) -> tuple[PullRequestFact, ...]:
        address, found = f"{_project(path)}/repository/{_commit(sha)}/merge_requests", list[PullRequestFact]()
        async with self._commits_of(path):
            async for answer in self._asker.pages(address, per_page=PAGE):
                found += parse.pull_requests(answer.body)
                if len(found) >= MOST_PULL_REQUESTS:
                    break
        return tuple(found)

    async def pull_request_files(self, path: str, number: int) -> Files:
        address = f"{_project(path)}/merge_requests/{number}"
        changes = await self._changes(f"{address}/diffs")
        if changes.is_complete and _may_be_cut(changes):
            told = shapes.an_object((await self._asker.get(address)).body)
            return Files(changes.files, not shapes.word(told, "changes_count").endswith("+"))
        return changes

    async def merged_since(self, path: str, since: datetime) -> AsyncIterator[PullRequestFact]:
        wanted = {"state": "merged", "updated_after": since.isoformat(), "order_by": "updated_at", "sort": "desc"}
        async for answer in self._asker.pages(f"{_project(path)}/merge_requests", per_page=PAGE, **wanted):
            for found in parse.pull_requests(answer.body):
                if found.merged_at and found.merged_at >= since:
                    yield found

    async def _login(self) -> str:
        """Nothing where the token may not ask whose it is."""
        try:
            return shapes.text(shapes.an_object((await self._asker.get("/user")).body), "username")
        except NotPermitted:
            return ""

    @asynccontextmanager
    async def _commits_of(self, path: str) -> AsyncIterator[None]:
        """Within, what is missing is a commit, if the project is there."""
        try:
            yield
        except SomethingMissing:
            await self.repository(path)
            raise unknown_commit(self._asker.host) from None

    async def _changes(self, address: str) -> Files:
        """The changed files of all pages."""
        found: list[Any] = []
        async for answer in self._asker.pages(address, per_page=PAGE):
            found += shapes.a_list(answer.body, "diffs")
            if len(found) > MOST_FILES:
                break
        return parse.files(islice(found, MOST_FILES), is_cut=len(found) > MOST_FILES)


class WritableGitLab(GitLab):
    """Reads and writes. What is written goes to the project's number: GitLab takes nothing for a path that it redirects."""

    def __init__(self, access: WriteAccess) -> None:
        super().__init__(access)

    async def create_branch(self, path: str, name: str, sha: str) -> None:
        project = await self._number(path)
        try:
            told = await self._asker.get(f"{project}/repository/branches/{quote(name, safe='')}")
        except SomethingMissing:
            await self._asker.post(f"{project}/repository/branches", {"branch": name, "ref": sha})
            return
        there = shapes.an_object(shapes.an_object(told.body).get("commit"))
        if not shapes.sha(there, "id").startswith(sha.lower()):
            raise HostError(
                f"{self._asker.host} has a branch {name} already, at another commit.",
                "Delete it there, or choose another name.",
            )

    async def open_pull_request(self, path: str, head: str, base: str, title: str, body: str) -> PullRequestFact:
        address = f"{await self._number(path)}/merge_requests"
        found = await self._asker.get(address, state="opened", source_branch=head, target_branch=base)
        for one in shapes.a_list(found.body, "merge requests"):
            given = shapes.an_object(one)
            if given.get("source_project_id") == given.get("target_project_id"):  # a fork may have a branch of that name
                return parse.pull_request(given)
        wanted = {"source_branch": head, "target_branch": base, "description": body}
        made = await self._asker.post(address, wanted | {"title": f"{DRAFT}{title}"[:LONGEST_TITLE]})
        return parse.pull_request(made.body)

    async def _number(self, path: str) -> str:
        told = shapes.an_object((await self._asker.get(_project(path))).body)
        return f"/projects/{shapes.number(told, 'id')}"


def _project(path: str) -> str:
    return f"/projects/{quote(path, safe='')}"


def _commit(name: str) -> str:
    return f"commits/{quote(name, safe='')}"


def _lines(changes: Files) -> int:
    return sum(file.added + file.removed for file in changes.files)


def _may_be_cut(changes: Files) -> bool:
    return len(changes.files) > PAGE or sum(len(file.patch or "") for file in changes.files) > SURELY_WHOLE
