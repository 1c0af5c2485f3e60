"""GitHub as a code host: GitHub.com and Enterprise Server, by a token or as an installed app."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from blametrail.codehosts import shapes
from blametrail.codehosts.access import Access, Credential, WriteAccess
from blametrail.codehosts.asking import Answer, Asker
from blametrail.codehosts.facts import CommitDetail, Comparison, FileFact, Files, PullRequestFact, RepositoryFact, TokenFact
from blametrail.codehosts.github import parse
from blametrail.codehosts.github.api import HEADERS, api_url, bearer, name_of
from blametrail.codehosts.github.app import TOKENS, token_fact
from blametrail.codehosts.github.refusals import NoDiff, Rejected, explainer, rights_for
from blametrail.codehosts.host import MOST_COMMITS, HostError, NotPermitted, NotVisible, UnknownCommit

PAGE = 100
"""As many as GitHub gives at once."""

MOST_PULL_REQUESTS = 300
"""Of one commit."""

_PATH = re.compile(r"[^/]+/[^/]+")


class GitHub:
    """Reads with one connection; see `CodeHost`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._host = name_of(access.host_url)
        by_token = access.credential == Credential.TOKEN
        self._asker = Asker(
            access.connection_id,
            api_url(access.host_url),
            {**HEADERS, **bearer(access.secret)} if by_token else HEADERS,
            self._explain,
            sign=None if by_token else self._as_installation,
        )
        self._words = explainer(self._host, access.credential, rights_for(access))
        self._visible: set[str] = set()

    @property
    def calls(self) -> int:
        """Requests sent; not counted is the one an hour by which an app gets its token."""
        return self._asker.calls

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._asker.aclose()

    async def token(self) -> TokenFact:
        if self._access.credential == Credential.APP:
            self._asker.calls += 1
            return await token_fact(self._access)
        answer = await self._asker.get_anew("/user")
        scopes = _scopes(answer.headers.get("x-oauth-scopes"))
        enough = None if scopes is None else bool({"repo", "public_repo"} & set(scopes))
        return TokenFact(
            login=shapes.text(shapes.an_object(answer.body), "login"),
            granted=scopes or (),
            may_read=enough,
            may_write=enough,
            expires_at=_expiry(answer.headers.get("github-authentication-token-expiration", "")),
        )

    async def repository(self, path: str) -> RepositoryFact:
        return parse.repository((await self._ask(path, "")).body)

    async def compare(self, path: str, base: str, head: str) -> Comparison:
        """Pages come oldest first, and the first alone has files: it is asked for, and then those with the newest commits."""
        span = f"/compare/{self._ref(base)}...{self._ref(head)}"
        try:
            answer = await self._ask(path, span, per_page=PAGE, page=1)
        except NotVisible:
            await self._raise_unless_visible(path)
            raise self._unknown(path, f"{base[:12]} or {head[:12]}") from None
        first = parse.comparison(answer.body)
        found = {commit.sha: commit for commit in first.commits}
        for page in _pages_of_newest(first.total_commits):
            more = parse.commits((await self._ask(path, span, per_page=PAGE, page=page)).body)
            if not more:
                break
            found |= {commit.sha: commit for commit in more}
        newest = tuple(found.values())[-MOST_COMMITS:]
        return Comparison(first.relation, newest, max(first.total_commits, len(newest)), first.changes)

    async def commit(self, path: str, sha: str) -> CommitDetail:
        try:
            answer = await self._ask(path, f"/commits/{self._ref(sha)}")
        except NotVisible:
            await self._raise_unless_visible(path)
            raise self._unknown(path, sha[:12]) from None
        more: list[FileFact] = []
        async for page in self._further(answer, parse.MOST_FILES // PAGE):
            more += parse.files(shapes.an_object(page.body).get("files"))
        return parse.commit_detail(answer.body, more)

    async def pull_request(self, path: str, number: int) -> PullRequestFact | None:
        try:
            return parse.pull_request((await self._ask(path, f"/pulls/{number:d}")).body)
        except NotVisible:
            await self._raise_unless_visible(path)
            return None

    async def pull_requests_of(self, path: str, sha: str) -> tuple[PullRequestFact, ...]:
        try:
            answer = await self._ask(path, f"/commits/{self._ref(sha)}/pulls", per_page=PAGE)
        except NotVisible:
            await self._raise_unless_visible(path)
            raise self._unknown(path, sha[:12]) from None
        found = parse.pull_requests(answer.body)
        async for page in self._further(answer, MOST_PULL_REQUESTS // PAGE):
            found += parse.pull_requests(page.body)
        return found

    async def pull_request_files(self, path: str, number: int) -> Files:
        try:
            answer = await self._ask(path, f"/pulls/{number:d}/files", per_page=PAGE)
            found = list(parse.files(answer.body))
            async for page in self._further(answer, parse.MOST_FILES // PAGE):
                found += parse.files(page.body)
        except NoDiff:
            return Files((), False)
        except NotVisible:
            await self._raise_unless_visible(path)
            raise NotVisible(f"{path} at {self._host} has no pull request {number}.", "It may have been deleted.") from None
        return Files(tuple(found[: parse.MOST_FILES]), len(found) < parse.MOST_FILES)

    async def merged_since(self, path: str, since: datetime) -> AsyncIterator[PullRequestFact]:
        below = self._repository(path) + "/pulls"
        async for page in self._asker.pages(below, state="closed", sort="updated", direction="desc", per_page=PAGE):
            for fact in parse.pull_requests(page.body):
                if fact.updated_at < since:
                    return
                if fact.merged_at and fact.merged_at >= since:
                    yield fact

    async def _ask(self, path: str, below: str, **params: str | int) -> Answer:
        """GET what is below a repository; a repository that answered once is known to be visible."""
        answer = await self._asker.get(self._repository(path) + below, **params)
        self._visible.add(path)
        return answer

    async def _further(self, answer: Answer, most: int) -> AsyncIterator[Answer]:
        """The pages after the first one, `most` in all."""
        for _ in range(most - 1):
            if not answer.next_url:
                return
            answer = await self._asker.get(answer.next_url)
            yield answer

    async def _raise_unless_visible(self, path: str) -> None:
        """GitHub has one answer for a repository that it does not show and for something missing within; this tells which."""
        if path not in self._visible:
            await self.repository(path)

    def _repository(self, path: str) -> str:
        if not _PATH.fullmatch(path) or not {".", ".."}.isdisjoint(path.split("/")):
            raise NotVisible(f"{path} cannot be a repository of {self._host}.", "Its name has the form owner/repository.")
        return f"/repos/{quote(path, errors='replace')}"

    def _ref(self, ref: str) -> str:
        """A commit or branch as part of an address: git has no name with two dots, and addresses give them a meaning."""
        if not ref or ref == "." or ".." in ref:
            raise UnknownCommit(f"{ref[:60] or 'Nothing'} is not the name of a commit.", "Check what was reported.")
        return quote(ref, safe="", errors="replace")

    def _unknown(self, path: str, what: str) -> UnknownCommit:
        return UnknownCommit(
            f"{path} at {self._host} does not have the commit {what}.",
            "It may have been force-pushed away, or not been pushed; check what was reported.",
        )

    def _explain(self, response: httpx.Response) -> HostError | None:
        if response.status_code == httpx.codes.UNAUTHORIZED:
            TOKENS.forget(self._access)
        return self._words(response)

    async def _as_installation(self) -> Mapping[str, str]:
        return bearer(await TOKENS.get(self._access))


class WritableGitHub(GitHub):
    """Reads and writes with a connection that was made for both; see `WritableCodeHost`."""

    def __init__(self, access: WriteAccess) -> None:
        if not isinstance(access, WriteAccess):
            raise TypeError("only a WriteAccess may write")
        super().__init__(access)

    async def create_branch(self, path: str, name: str, sha: str) -> None:
        try:
            await self._post(path, "/git/refs", {"ref": f"refs/heads/{name}", "sha": sha})
        except Rejected as error:
            if "already exists" not in error.words:
                raise
            if await self._tip(path, name) != sha:
                raise HostError(
                    f"{path} at {self._host} has a branch {name} already, at another commit.", "Delete it there, and try again."
                ) from None

    async def open_pull_request(self, path: str, head: str, base: str, title: str, body: str) -> PullRequestFact:
        draft = {"head": head, "base": base, "title": title, "body": body, "draft": True}
        try:
            return parse.pull_request((await self._post(path, "/pulls", draft)).body)
        except Rejected as error:
            found = await self._open_one(path, head, base) if "already exists" in error.words else None
            if found is None:
                raise self._why_not(path, head, base, error.words) or error from None
            return found

    async def _tip(self, path: str, branch: str) -> str:
        answer = await self._ask(path, f"/git/ref/heads/{quote(branch, errors='replace')}")
        return shapes.sha(shapes.an_object(shapes.an_object(answer.body).get("object")), "sha")

    async def _open_one(self, path: str, head: str, base: str) -> PullRequestFact | None:
        """The owner that a branch is asked for with is the present one: a repository may have moved."""
        owner = (await self.repository(path)).path.partition("/")[0]
        answer = await self._ask(path, "/pulls", state="open", head=f"{owner}:{head}", base=base)
        return next(iter(parse.pull_requests(answer.body)), None)

    def _why_not(self, path: str, head: str, base: str, words: str) -> HostError | None:
        if "draft" in words:
            return NotPermitted(
                f"{path} at {self._host} takes no draft pull requests.", "GitHub offers them with another plan, or in public."
            )
        if "no commits between" in words:
            return HostError(f"{path} at {self._host} has nothing in {head} that {base} has not.", "Nothing is to be done.")
        if "invalid" in words:
            return UnknownCommit(f"{path} at {self._host} lacks the branch {head} or {base}.", "Check its branches.")
        return None

    async def _post(self, path: str, below: str, body: Mapping[str, Any]) -> Answer:
        return await self._asker.post(self._repository(path) + below, body)


def _pages_of_newest(total: int) -> range:
    """The pages after the first that hold the newest commits, at most MOST_COMMITS of them."""
    first = max(total - MOST_COMMITS, 0) // PAGE + 1
    return range(max(first, 2), -(-total // PAGE) + 1)


def _scopes(header: str | None) -> tuple[str, ...] | None:
    """A classic token's; None for tokens of other kinds, of which GitHub tells nothing."""
    return None if header is None else tuple(scope.strip() for scope in header.split(",") if scope.strip())


def _expiry(header: str) -> datetime | None:
    """Written as `2026-05-26 00:53:41 UTC`, or with an offset in place of the name."""
    try:
        return datetime.strptime(header.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
