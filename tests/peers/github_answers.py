"""How the stand-in for GitHub answers a question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import jwt

from tests.peers import github_shapes as shapes
from tests.peers.github_shapes import Json
from tests.peers.github_state import App, Commit, File, Installed, Pull, Repository, Token, written

if TYPE_CHECKING:
    from tests.peers.github import FakeGitHub

API = "/api/v3"


@dataclass(frozen=True)
class Reply:
    """An answer out of turn: JSON or bytes, after some seconds, or only when the stand-in is closed."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    hold: bool = False


class Refusal(Exception):
    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.reply = Reply(
            status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)} | more
        )


class Question:
    """One request: who asks, and what."""

    def __init__(self, github: FakeGitHub, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.github, self.method, self.headers, self.body = github, method, headers, body
        parts = urlsplit(target)
        self.path, self.query = parts.path.removeprefix(API), dict(parse_qsl(parts.query))
        self.is_below_api = parts.path.startswith(API + "/")
        self.api = github.api
        self.extra: dict[str, str] = {}

    def answer(self) -> Reply:
        if not self.is_below_api:
            raise Refusal(404, "Not Found")
        if self.path.startswith("/app-manifests/"):
            return self._convert()
        if self.path.startswith("/app"):
            return self._as_app()
        self.token = self._token()
        if self.token and self.token.scopes is not None:
            self.extra["X-OAuth-Scopes"] = ", ".join(self.token.scopes)
        if self.token and self.token.expires:
            self.extra["GitHub-Authentication-Token-Expiration"] = self.token.expires
        self._spend()
        body, status = self._body()
        return self._tagged(Reply(status, body, self.extra))

    def _token(self) -> Token | None:
        text = self.headers.get("authorization", "").removeprefix("Bearer ")
        if not text:
            return None
        token = self.github.tokens.get(text)
        if token is None or (token.ends_at and token.ends_at < datetime.now(UTC)):
            raise Refusal(401, "Bad credentials")
        return token

    def _spend(self) -> None:
        if self.github.remaining <= 0 and datetime.now(UTC) < self.github.resets_at:
            raise Refusal(403, "API rate limit exceeded for user ID 1.")
        self.github.remaining -= 1

    def _tagged(self, reply: Reply) -> Reply:
        if self.method != "GET" or reply.status != 200:
            return reply
        who = self.headers.get("authorization", "")
        seen = json.dumps([who, reply.body, reply.headers.get("Link")], sort_keys=True)
        tag = f'W/"{sha256(seen.encode()).hexdigest()}"'
        headers = {**reply.headers, "ETag": tag, "Cache-Control": "private, max-age=60, s-maxage=60"}
        headers["Vary"] = "Accept, Authorization, Cookie, X-GitHub-OTP"
        if self.headers.get("if-none-match") == tag:
            self.github.remaining += 1
            return Reply(304, None, headers)
        return replace(reply, headers=headers)

    def _body(self) -> tuple[Any, int]:
        if self.path == "/user":
            if self.token is None:
                raise Refusal(401, "Requires authentication")
            return shapes.own_account(self.api, self.token.login), 200
        repository, below = self._repository()
        for method, pattern, respond in _ROUTES:
            if method == self.method and (found := re.fullmatch(pattern, below)):
                return respond(self, repository, *map(unquote, found.groups()))
        raise Refusal(404, "Not Found")

    def _repository(self) -> tuple[Repository, str]:
        if found := re.fullmatch(r"/repositories/(\d+)(/.*)?", self.path):
            repository = next((r for r in self.github.repositories.values() if r.id == int(found[1])), None)
            below = found[2] or ""
        elif found := re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", self.path):
            path, below = unquote(found[1]), found[2] or ""
            if new := self.github.moved(path):
                self._redirect(self.github.repositories[new], below)
            repository = self.github.repositories.get(path)
        else:
            raise Refusal(404, "Not Found")
        asker = self.token or Token("", scopes=())
        if repository is None or not asker.may_see(repository):
            raise Refusal(404, "Not Found")
        return repository, below

    def _redirect(self, repository: Repository, below: str) -> None:
        query = f"?{urlencode(self.query)}" if self.query else ""
        url = f"{self.api}/repositories/{repository.id}{below}{query}"
        refusal = Refusal(301 if self.method == "GET" else 307, "Moved Permanently", url=url)
        refusal.reply.headers["Location"] = url
        raise refusal

    def page(self, repository: Repository, of: Sequence[Any], *, per_page: int = 30, most: int = 100) -> list[Any]:
        """A page as it was asked for; where the others are goes into the Link header."""
        size = min(int(self.query.get("per_page", per_page)), most)
        number, last = int(self.query.get("page", 1)), max(1, -(-len(of) // size))
        below = self._repository()[1]

        def at(page: int) -> str:
            return f"<{self.api}/repositories/{repository.id}{below}?{urlencode({**self.query, 'page': page})}>"

        links = [f'{at(number + 1)}; rel="next", {at(last)}; rel="last"'] if number < last else []
        links += [f'{at(number - 1)}; rel="prev", {at(1)}; rel="first"'] if number > 1 else []
        if links:
            self.extra["Link"] = ", ".join(links)
        return list(of[(number - 1) * size : number * size])

    def sent(self) -> Json:
        body: Json = json.loads(self.body or b"{}")
        return body

    def must_write(self, repository: Repository) -> None:
        if self.token is None or not self.token.may_write(repository):
            raise Refusal(
                403 if self.token and self.token.scopes is None else 404, "Resource not accessible by personal access token"
            )

    def _convert(self) -> Reply:
        code = unquote(self.path.split("/")[2])
        app = self.github.codes.pop(code, None)
        if app is None or self.method != "POST":
            raise Refusal(404, "Not Found")
        self.github.apps[app.app_id] = app
        return Reply(201, shapes.made_app(self.api, app.app_id, app.private_key, app.webhook_secret))

    def _as_app(self) -> Reply:
        app = self._proven()
        if self.path == "/app/installations":
            return Reply(200, [self._shaped(app, id_) for id_ in app.installations])
        found = re.fullmatch(r"/app/installations/(\d+)(/access_tokens)?", self.path)
        if not found or int(found[1]) not in app.installations:
            raise Refusal(404, "Not Found")
        if not found[2]:
            return Reply(200, self._shaped(app, int(found[1])))
        return self._installation_token(app.installations[int(found[1])])

    def _shaped(self, app: App, id_: int) -> Json:
        given = app.installations[id_]
        return shapes.installation(self.api, id_, app.app_id, given.account, given.permissions, given.suspended_at)

    def _installation_token(self, installed: Installed) -> Reply:
        if installed.suspended_at:
            raise Refusal(403, "This installation has been suspended")
        text = f"ghs_{len(self.github.tokens):036d}"
        ends_at = datetime.now(UTC) + installed.token_lives
        self.github.tokens[text] = Token(installed.account, None, installed.permissions, installed.sees, ends_at=ends_at)
        return Reply(201, {"token": text, "expires_at": written(ends_at), "permissions": installed.permissions})

    def _proven(self) -> App:
        proof = self.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            issuer = jwt.decode(proof, options={"verify_signature": False})["iss"]
            app = self.github.apps[int(issuer)]
            claims = jwt.decode(proof, app.key.public_key(), algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]})
        except (jwt.PyJWTError, KeyError, ValueError):
            raise Refusal(401, "A JSON web token could not be decoded") from None
        if claims["exp"] > datetime.now(UTC).timestamp() + 600:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        return app


def _a_repository(q: Question, repository: Repository) -> tuple[Any, int]:
    return shapes.repository(q.api, repository), 200


def _compare(q: Question, repository: Repository, span: str) -> tuple[Any, int]:
    base, _, head = span.partition("...")
    one, other = repository.find(base), repository.find(head)
    if one is None or other is None:
        raise Refusal(404, "Not Found")
    behind, ahead = repository.reachable(one.sha), repository.reachable(other.sha)
    common = [commit for sha, commit in repository.commits.items() if sha in behind & ahead]
    if not common:
        raise Refusal(404, "No common ancestor between base and head.")
    new = [sha for sha in repository.commits if sha in ahead - behind]
    old = behind - ahead
    status = "diverged" if new and old else "ahead" if new else "behind" if old else "identical"
    paged = {"per_page", "page"} & q.query.keys()
    listed = q.page(repository, new, per_page=250) if paged else new[-250:]
    first = int(q.query.get("page", 1)) == 1
    files = [shapes.file(q.api, repository, file) for file in repository.files_of(new)[:300]]
    return {
        **shapes.comparison(q.api, repository, one, other, common[-1]),
        "status": status,
        "ahead_by": len(new),
        "behind_by": len(old),
        "total_commits": len(new),
        "commits": [shapes.commit(q.api, repository, repository.commits[sha]) for sha in listed],
        **({"files": files} if first else {}),
    }, 200


def _a_commit(q: Question, repository: Repository, ref: str) -> tuple[Any, int]:
    commit = _found(repository, ref)
    files = q.page(repository, commit.files[:3000], per_page=300, most=300)
    changed = sum(file.additions for file in commit.files), sum(file.deletions for file in commit.files)
    return {
        **shapes.commit(q.api, repository, commit),
        "stats": {"additions": changed[0], "deletions": changed[1], "total": sum(changed)},
        "files": [shapes.file(q.api, repository, file) for file in files],
    }, 200


def _pulls_of_commit(q: Question, repository: Repository, ref: str) -> tuple[Any, int]:
    sha = _found(repository, ref).sha
    found = [pull for pull in repository.pulls.values() if sha == pull.merge_sha or sha in pull.commits]
    return [shapes.pull(q.api, repository, pull) for pull in q.page(repository, found)], 200


def _pulls(q: Question, repository: Repository) -> tuple[Any, int]:
    asked = q.query
    found = [
        pull
        for pull in repository.pulls.values()
        if asked.get("state", "open") in {"all", "open" if pull.state == "open" else "closed"}
        and asked.get("base", pull.base) == pull.base
        and asked.get("head", f"{repository.path.split('/')[0]}:{pull.head}").partition(":")[2] == pull.head
    ]
    by_update = asked.get("sort") == "updated"
    found.sort(key=lambda pull: pull.updated_at if by_update else pull.created_at, reverse=asked.get("direction") != "asc")
    return [shapes.pull(q.api, repository, pull) for pull in q.page(repository, found)], 200


def _a_pull(q: Question, repository: Repository, number: str) -> tuple[Any, int]:
    pull = _known_pull(repository, number)
    return shapes.full_pull(q.api, repository, pull, _files_of_pull(repository, pull)), 200


def _files_of_a_pull(q: Question, repository: Repository, number: str) -> tuple[Any, int]:
    files = _files_of_pull(repository, _known_pull(repository, number))
    return [shapes.file(q.api, repository, file) for file in q.page(repository, files[:3000])], 200


def _a_ref(q: Question, repository: Repository, branch: str) -> tuple[Any, int]:
    if branch not in repository.branches:
        raise Refusal(404, "Not Found")
    return shapes.ref(q.api, repository, branch), 200


def _make_ref(q: Question, repository: Repository) -> tuple[Any, int]:
    q.must_write(repository)
    sent = q.sent()
    branch = sent["ref"].removeprefix("refs/heads/")
    if sent["sha"] not in repository.commits:
        raise Refusal(422, "Object does not exist")
    if branch in repository.branches:
        raise Refusal(422, "Reference already exists")
    repository.branches[branch] = sent["sha"]
    return shapes.ref(q.api, repository, branch), 201


def _make_pull(q: Question, repository: Repository) -> tuple[Any, int]:
    q.must_write(repository)
    sent = q.sent()
    owner, head, base = repository.path.split("/")[0], sent["head"], sent["base"]
    for name in ("head", "base"):
        if sent[name] not in repository.branches:
            raise Refusal(422, "Validation Failed", errors=[{"resource": "PullRequest", "field": name, "code": "invalid"}])
    if repository.branches[head] in repository.reachable(repository.branches[base]):
        raise _unprocessable(f"No commits between {base} and {head}")
    if any(pull.state == "open" and (pull.head, pull.base) == (head, base) for pull in repository.pulls.values()):
        raise _unprocessable(f"A pull request already exists for {owner}:{head}.")
    if sent.get("draft") and not repository.takes_drafts:
        raise Refusal(422, "Draft pull requests are not supported in this repository.")
    number = repository.open_pull(sent["title"], body=sent.get("body"), head=head, draft=bool(sent.get("draft")))
    pull = repository.pulls[number]
    return shapes.full_pull(q.api, repository, pull, _files_of_pull(repository, pull)), 201


_ROUTES: list[tuple[str, str, Callable[..., tuple[Any, int]]]] = [
    ("GET", r"", _a_repository),
    ("GET", r"/compare/([^/]+)", _compare),
    ("GET", r"/commits/([^/]+)", _a_commit),
    ("GET", r"/commits/([^/]+)/pulls", _pulls_of_commit),
    ("GET", r"/pulls", _pulls),
    ("POST", r"/pulls", _make_pull),
    ("GET", r"/pulls/(\d+)", _a_pull),
    ("GET", r"/pulls/(\d+)/files", _files_of_a_pull),
    ("GET", r"/git/ref/heads/(.+)", _a_ref),
    ("POST", r"/git/refs", _make_ref),
]


def _found(repository: Repository, ref: str) -> Commit:
    if not repository.commits:
        raise Refusal(409, "Git Repository is empty.")
    commit = repository.find(ref)
    if commit is None:
        raise Refusal(422, f"No commit found for SHA: {ref}")
    return commit


def _known_pull(repository: Repository, number: str) -> Pull:
    if int(number) not in repository.pulls:
        raise Refusal(404, "Not Found")
    return repository.pulls[int(number)]


def _files_of_pull(repository: Repository, pull: Pull) -> list[File]:
    return repository.files_of(sha for sha in pull.commits if sha in repository.commits)


def _unprocessable(message: str) -> Refusal:
    return Refusal(422, "Validation Failed", errors=[{"resource": "PullRequest", "code": "custom", "message": message}])
