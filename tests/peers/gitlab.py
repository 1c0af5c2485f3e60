"""A stand-in for GitLab on loopback: projects with a history of commits, merge requests, tokens, failures on demand.

Its answers follow GitLab's official description and are checked against `gitlab_schemas` as they are given.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

SCHEMAS = Path(__file__).with_name("gitlab_schemas")
PREFIX = "/api/v4"
BEGINNING = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
Json = Any


@dataclass(frozen=True)
class Change:
    """A file that a commit changes. `old_path` says that it is renamed."""

    path: str
    diff: str = "@@ -1 +1 @@\n-old\n+new\n"
    is_new: bool = False
    is_deleted: bool = False
    old_path: str = ""
    too_large: bool = False
    collapsed: bool = False

    def json(self) -> Json:
        return {
            "diff": "" if self.too_large or self.collapsed else self.diff,
            "new_path": self.path,
            "old_path": self.old_path or self.path,
            "a_mode": "0" if self.is_new else "100644",
            "b_mode": "0" if self.is_deleted else "100644",
            "new_file": self.is_new,
            "renamed_file": bool(self.old_path),
            "deleted_file": self.is_deleted,
            "collapsed": self.collapsed,
            "too_large": self.too_large,
            "generated_file": None,
        }


@dataclass
class Commit:
    sha: str
    message: str
    parents: tuple[str, ...]
    changes: tuple[Change, ...]
    author: str
    at: datetime


@dataclass
class MergeRequest:
    iid: int
    title: str
    description: str | None
    source: str
    target: str
    author: str
    labels: list[str]
    head: str
    commits: set[str]
    changes: list[Change]
    state: str = "opened"
    created_at: datetime = BEGINNING
    updated_at: datetime = BEGINNING
    merged_at: datetime | None = None
    merge_commit: str | None = None
    squash_commit: str | None = None
    source_project_id: int | None = None


@dataclass
class Token:
    """`projects` are the paths of private projects that it sees: None means all. Roles: guest, reporter, developer."""

    text: str
    scopes: tuple[str, ...] = ("api",)
    username: str = "blametrail-bot"
    expires_at: date | None = None
    is_revoked: bool = False
    projects: tuple[str, ...] | None = None
    role: str = "developer"


@dataclass
class Failure:
    """What is answered in place of the truth to requests whose address contains `where`, `times` times."""

    where: str
    status: int
    body: bytes
    headers: dict[str, str]
    times: int
    seconds: float
    breaks_off: bool


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Json
    status: int


class Refusal(Exception):
    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status, self.body = status, body if isinstance(body, dict) else {"message": body}


@dataclass
class Project:
    """`most_files` is how many changed files are kept of one change."""

    id: int
    path: str
    url: str
    visibility: str = "private"
    default_branch: str = "main"
    most_files: int = 1_000
    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)
    old_paths: set[str] = field(default_factory=set)

    def commit(
        self,
        message: str,
        changes: Iterable[Change] = (),
        *,
        branch: str = "",
        parents: Sequence[str] | None = None,
        author: str = "Ada",
        at: datetime | None = None,
    ) -> str:
        """A commit on a branch, at first the default one; answers its hash."""
        branch = branch or self.default_branch
        tip = self.branches.get(branch) or self.branches.get(self.default_branch)
        parents = tuple(parents) if parents is not None else (tip,) if tip else ()
        sha = sha1(f"{self.id} {len(self.commits)} {message}".encode("utf-8", "surrogatepass")).hexdigest()
        at = at or BEGINNING + timedelta(minutes=len(self.commits))
        self.commits[sha] = Commit(sha, message, parents, tuple(changes), author, at)
        self.branches[branch] = sha
        return sha

    def merge_request(
        self,
        title: str,
        *,
        source: str = "feature",
        target: str = "",
        how: str = "",
        author: str = "grace",
        labels: Sequence[str] = (),
        description: str | None = "",
        merged_at: datetime | None = None,
    ) -> MergeRequest:
        """From a branch to another; `how` merges it at once: merge, squash, squash-and-merge or fast-forward. A merge train
        leaves what `merge` leaves."""
        target, head = target or self.default_branch, self.branches[source]
        brought = self.between(self.branches[target], head)
        at = merged_at or BEGINNING + timedelta(hours=1 + len(self.merge_requests))
        made = MergeRequest(
            iid=len(self.merge_requests) + 1,
            title=title,
            description=description,
            source=source,
            target=target,
            author=author,
            labels=list(labels),
            head=head,
            commits={commit.sha for commit in brought},
            changes=_together(brought),
            created_at=at - timedelta(minutes=30),
            updated_at=at,
            source_project_id=self.id,
        )
        self.merge_requests[made.iid] = made
        if how:
            self._merge(made, how, at)
        return made

    def _merge(self, made: MergeRequest, how: str, at: datetime) -> None:
        base, tip = self.branches[made.target], made.head
        made.state, made.merged_at = "merged", at
        if how.startswith("squash"):
            tip = made.squash_commit = self.commit(made.title, made.changes, branch=made.target, parents=[base])
        if how in {"merge", "squash-and-merge"}:
            message = (
                f"Merge branch '{made.source}' into '{made.target}'\n\n{made.title}\n\nSee merge request {self.path}!{made.iid}"
            )
            tip = made.merge_commit = self.commit(message, made.changes, branch=made.target, parents=[base, tip])
        self.branches[made.target] = tip
        del self.branches[made.source]

    def rename(self, path: str) -> None:
        self.old_paths.add(self.path)
        self.path = path

    def forget(self, sha: str) -> None:
        """As after a force-push, when nothing holds the commit any more."""
        del self.commits[sha]

    def find(self, ref: str) -> Commit | None:
        sha = self.branches.get(ref)
        named = (
            [sha] if sha else [known for known in self.commits if re.fullmatch("[0-9a-f]{7,40}", ref) and known.startswith(ref)]
        )
        return self.commits[named[0]] if len(named) == 1 else None

    def between(self, base: str, head: str) -> list[Commit]:
        """What the head has and the base has not, oldest first."""
        known = self._history(base)
        return [commit for sha, commit in self.commits.items() if sha in self._history(head) - known]

    def _history(self, sha: str) -> set[str]:
        found: set[str] = set()
        waiting = [sha]
        while waiting:
            sha = waiting.pop()
            if sha not in found and sha in self.commits:
                found.add(sha)
                waiting += self.commits[sha].parents
        return found


class FakeGitLab:
    """Use with `with`: `.url` is its address, `.requests` what it was asked, `.wrong` where it did not keep to its schemas."""

    def __init__(self) -> None:
        self.projects: list[Project] = []
        self.tokens: dict[str, Token] = {}
        self.failures: list[Failure] = []
        self.requests: list[Request] = []
        self.wrong: list[str] = []
        self.lock = Lock()
        self._ids = count(7)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        assert kind or not self.wrong, self.wrong

    def add_project(self, path: str, **more: Any) -> Project:
        project = Project(next(self._ids), path, self.url, **more)
        self.projects.append(project)
        return project

    def add_token(self, text: str, *scopes: str, **more: Any) -> Token:
        self.tokens[text] = Token(text, scopes or ("api",), **more)
        return self.tokens[text]

    def fail(
        self,
        status: int,
        body: Json = b"",
        *,
        where: str = "",
        headers: dict[str, str] | None = None,
        times: int = 1_000_000,
        seconds: float = 0,
        breaks_off: bool = False,
    ) -> None:
        """Answer something else from now on; status 0 with `seconds` only waits before the true answer."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.failures.append(Failure(where, status, raw, headers or {}, times, seconds, breaks_off))

    def recover(self) -> None:
        self.failures.clear()

    def checked(self, schema: str, body: Json) -> Json:
        found = [error.message[:200] for error in _validator(schema).iter_errors(json.loads(json.dumps(body)))]
        self.wrong += [f"{schema}: {message}" for message in found]
        return body


@dataclass
class Call:
    """One request, about to be answered."""

    fake: FakeGitLab
    method: str
    path: str
    query: dict[str, str]
    token: Token | None
    body: Json
    headers: dict[str, str] = field(default_factory=dict)

    def page(self, items: Sequence[Json]) -> list[Json]:
        """The asked page of a list, and the headers that lead to the next."""
        size, page = min(int(self.query.get("per_page", 20)), 100), int(self.query.get("page", 1))
        self.headers |= {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": ""}
        if len(items) > page * size:
            query = urlencode(self.query | {"page": str(page + 1), "per_page": str(size)})
            self.headers |= {"X-Next-Page": str(page + 1), "Link": f'<{self.fake.url}{self.path}?{query}>; rel="next"'}
        return list(items[(page - 1) * size : page * size])

    def authorize(self) -> None:
        if self.token is None:
            return
        if self.token.is_revoked:
            raise _invalid("Token was revoked. You have to re-authorize from the user.")
        if self.token.expires_at and self.token.expires_at <= datetime.now(UTC).date():
            raise _invalid("Token is expired. You can either do re-authorization or token refresh.")
        if self.path == f"{PREFIX}/personal_access_tokens/self":
            return
        needed = ["api", "read_api"] if self.method == "GET" else ["api"]
        needed += ["read_user"] if self.path == f"{PREFIX}/user" else []
        if not set(needed) & set(self.token.scopes):
            words = "The request requires higher privileges than provided by the access token."
            raise Refusal(403, {"error": "insufficient_scope", "error_description": words, "scope": " ".join(needed)})

    def project(self, asked: str) -> Project:
        name = unquote(asked)
        for project in self.fake.projects:
            if name in {str(project.id), project.path, *project.old_paths} and self._may_see(project):
                if name in project.old_paths:
                    self._moved(asked, project)
                return project
        raise Refusal(404, "404 Project Not Found")

    def _may_see(self, project: Project) -> bool:
        if project.visibility == "public" or self.token is None:
            return project.visibility == "public"
        return self.token.projects is None or project.path in self.token.projects

    def _moved(self, asked: str, project: Project) -> None:
        if self.method != "GET":
            raise Refusal(405, "405 Method Not Allowed - Non GET methods are not allowed for moved projects")
        address = f"{self.fake.url}{self.path}".replace(f"/projects/{asked}", f"/projects/{project.id}")
        self.headers["Location"] = f"{address}?{urlencode(self.query)}" if self.query else address
        raise Refusal(301, "301 Moved Permanently")

    def needs(self, *roles: str) -> None:
        if self.token is None or self.token.role not in roles:
            raise Refusal(403, "403 Forbidden")


def _token(call: Call) -> Json:
    token = _known(call)
    return call.fake.checked(
        "token",
        {
            "id": 42,
            "name": "BlameTrail",
            "revoked": token.is_revoked,
            "created_at": _time(BEGINNING),
            "description": None,
            "scopes": list(token.scopes),
            "user_id": 3,
            "last_used_at": _time(BEGINNING),
            "active": True,
            "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            "granular": "granular" in token.scopes,
        },
    )


def _user(call: Call) -> Json:
    return call.fake.checked("account", _account(call.fake.url, _known(call).username))


def _project(call: Call, name: str) -> Json:
    project = call.project(name)
    return call.fake.checked(
        "project",
        {
            "id": project.id,
            "name": project.path.rpartition("/")[2],
            "path": project.path.rpartition("/")[2],
            "path_with_namespace": project.path,
            "default_branch": project.default_branch if project.commits else None,
            "visibility": project.visibility,
            "web_url": f"{project.url}/{project.path}",
            "created_at": _time(BEGINNING),
            "last_activity_at": _time(BEGINNING),
        },
    )


def _compare(call: Call, name: str) -> Json:
    project = _code(call, name)
    base, head = project.find(call.query["from"]), project.find(call.query["to"])
    if base is None or head is None:
        raise Refusal(404, "404 Ref Not Found")
    commits = project.between(base.sha, head.sha)
    listed, changes = [_commit_json(project, commit) for commit in commits], _together(commits)
    return call.fake.checked(
        "comparison",
        {
            "commit": listed[-1] if listed else None,
            "commits": listed,
            "diffs": [change.json() for change in changes[: project.most_files]],
            "compare_timeout": len(changes) > project.most_files,
            "compare_same_ref": base.sha == head.sha,
            "web_url": f"{project.url}/{project.path}/-/compare/{base.sha}...{head.sha}",
        },
    )


def _commit(call: Call, name: str, ref: str) -> Json:
    project, commit = _known_commit(call, name, ref)
    told = _commit_json(project, commit) | {"project_id": project.id, "status": None, "last_pipeline": None}
    if call.query.get("stats") != "false":
        added, removed = (sum(_count(change.diff, sign) for change in commit.changes) for sign in "+-")
        told["stats"] = {"additions": added, "deletions": removed, "total": added + removed}
    return call.fake.checked("commit_detail", told)


def _commit_diff(call: Call, name: str, ref: str) -> Json:
    project, commit = _known_commit(call, name, ref)
    return [call.fake.checked("diff", change.json()) for change in call.page(commit.changes[: project.most_files])]


def _commit_merge_requests(call: Call, name: str, ref: str) -> Json:
    project, commit = _known_commit(call, name, ref)
    found = [
        one
        for one in project.merge_requests.values()
        if commit.sha in one.commits or commit.sha in {one.merge_commit, one.squash_commit}
    ]
    return [_merge_request_json(call, project, one) for one in call.page(found)]


def _merge_requests(call: Call, name: str) -> Json:
    project, query = call.project(name), call.query
    found = list(project.merge_requests.values())
    if query.get("state", "all") != "all":
        found = [one for one in found if one.state == query["state"]]
    if after := query.get("updated_after"):
        found = [one for one in found if one.updated_at >= datetime.fromisoformat(after)]
    found = [one for one in found if query.get("source_branch", one.source) == one.source]
    found = [one for one in found if query.get("target_branch", one.target) == one.target]
    by: Callable[[MergeRequest], Any] = lambda one: getattr(one, query.get("order_by", "created_at"))  # noqa: E731
    found.sort(key=by, reverse=query.get("sort", "desc") == "desc")
    return [_merge_request_json(call, project, one) for one in call.page(found)]


def _merge_request(call: Call, name: str, iid: str) -> Json:
    project = call.project(name)
    one = _known_merge_request(project, iid)
    files = len(one.changes)
    counted = f"{project.most_files}+" if files > project.most_files else str(files)
    return _merge_request_json(call, project, one, changes_count=counted)


def _merge_request_diffs(call: Call, name: str, iid: str) -> Json:
    project = call.project(name)
    changes = _known_merge_request(project, iid).changes[: project.most_files]
    return [call.fake.checked("diff", change.json()) for change in call.page(changes)]


def _open_merge_request(call: Call, name: str) -> Json:
    project, asked = call.project(name), call.body
    call.needs("developer")
    if asked["source_branch"] not in project.branches or asked["target_branch"] not in project.branches:
        raise Refusal(422, {"message": ["Source branch does not exist"]})
    for one in project.merge_requests.values():
        wanted = (project.id, asked["source_branch"], asked["target_branch"])
        if one.state == "opened" and (one.source_project_id, one.source, one.target) == wanted:
            raise Refusal(409, {"message": [f"Another open merge request already exists for this source branch: !{one.iid}"]})
    made = project.merge_request(
        asked["title"], source=asked["source_branch"], target=asked["target_branch"], description=asked.get("description")
    )
    return _merge_request_json(call, project, made)


def _branch(call: Call, name: str, branch: str) -> Json:
    project = _code(call, name)
    if unquote(branch) not in project.branches:
        raise Refusal(404, "404 Branch Not Found")
    return _branch_json(call, project, unquote(branch))


def _make_branch(call: Call, name: str) -> Json:
    project = _code(call, name)
    call.needs("developer")
    if call.body["branch"] in project.branches:
        raise Refusal(400, "Branch already exists")
    commit = project.find(call.body["ref"])
    if commit is None:
        raise Refusal(400, f"Invalid reference name: {call.body['ref']}")
    project.branches[call.body["branch"]] = commit.sha
    return _branch_json(call, project, call.body["branch"])


_ROUTES: list[tuple[str, str, Callable[..., Json]]] = [
    ("GET", "/personal_access_tokens/self", _token),
    ("GET", "/user", _user),
    ("GET", "/projects/([^/]+)", _project),
    ("GET", "/projects/([^/]+)/repository/compare", _compare),
    ("GET", "/projects/([^/]+)/repository/commits/([^/]+)", _commit),
    ("GET", "/projects/([^/]+)/repository/commits/([^/]+)/diff", _commit_diff),
    ("GET", "/projects/([^/]+)/repository/commits/([^/]+)/merge_requests", _commit_merge_requests),
    ("GET", "/projects/([^/]+)/repository/branches/([^/]+)", _branch),
    ("POST", "/projects/([^/]+)/repository/branches", _make_branch),
    ("GET", "/projects/([^/]+)/merge_requests", _merge_requests),
    ("POST", "/projects/([^/]+)/merge_requests", _open_merge_request),
    ("GET", r"/projects/([^/]+)/merge_requests/(\d+)", _merge_request),
    ("GET", r"/projects/([^/]+)/merge_requests/(\d+)/diffs", _merge_request_diffs),
]


def _handler(fake: FakeGitLab) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            """Nothing: tests read `.requests`."""

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            body, query = json.loads(raw) if raw else None, dict(parse_qsl(parts.query))
            failure = self._failing()
            if failure:
                time.sleep(failure.seconds)
            if failure and failure.status:
                status, content, headers = failure.status, failure.body, failure.headers
            else:
                status, content, headers = self._truth(parts.path, query, body)
            given = {name.lower(): value for name, value in self.headers.items()}
            fake.requests.append(Request(self.command, parts.path.removeprefix(PREFIX), query, given, body, status))
            self._send(status, content, headers, breaks_off=bool(failure and failure.breaks_off))

        def _failing(self) -> Failure | None:
            for failure in fake.failures:
                if failure.where in self.path and failure.times:
                    failure.times -= 1
                    return failure
            return None

        def _truth(self, path: str, query: dict[str, str], body: Json) -> tuple[int, bytes, dict[str, str]]:
            given = self.headers.get("PRIVATE-TOKEN")
            call = Call(fake, self.command, path, query, fake.tokens.get(given or ""), body)
            try:
                if given and call.token is None:
                    raise Refusal(401, "401 Unauthorized")
                call.authorize()
                with fake.lock:
                    content = json.dumps(_route(call)).encode()
            except Refusal as refusal:
                return refusal.status, json.dumps(refusal.body).encode(), call.headers
            etag = f'W/"{sha1(content).hexdigest()}"'
            if self.command == "GET" and self.headers.get("If-None-Match") == etag:
                return 304, b"", {"ETag": etag}
            return (201 if self.command == "POST" else 200), content, call.headers | {"ETag": etag}

        def _send(self, status: int, content: bytes, headers: dict[str, str], *, breaks_off: bool) -> None:
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(content) + (100 if breaks_off else 0)))
            self.end_headers()
            self.wfile.write(content)
            if breaks_off:
                self.close_connection = True

    return Handler


def _route(call: Call) -> Json:
    for method, pattern, answer in _ROUTES:
        found = re.fullmatch(re.escape(PREFIX) + pattern, call.path)
        if found and method == call.method:
            return answer(call, *found.groups())
    raise Refusal(404, {"error": "404 Not Found"})


def _code(call: Call, name: str) -> Project:
    project = call.project(name)
    if project.visibility != "public":
        call.needs("reporter", "developer")
    return project


def _known(call: Call) -> Token:
    if call.token is None:
        raise Refusal(401, "401 Unauthorized")
    return call.token


def _known_commit(call: Call, name: str, ref: str) -> tuple[Project, Commit]:
    project = _code(call, name)
    commit = project.find(unquote(ref))
    if commit is None:
        raise Refusal(404, "404 Commit Not Found")
    return project, commit


def _known_merge_request(project: Project, iid: str) -> MergeRequest:
    if int(iid) not in project.merge_requests:
        raise Refusal(404, "404 Not found")
    return project.merge_requests[int(iid)]


def _commit_json(project: Project, commit: Commit) -> Json:
    at, mail = _time(commit.at), f"{commit.author.lower()}@example.com"
    return {
        "id": commit.sha,
        "short_id": commit.sha[:8],
        "title": commit.message.partition("\n")[0],
        "message": commit.message,
        "created_at": at,
        "parent_ids": list(commit.parents),
        "author_name": commit.author,
        "author_email": mail,
        "authored_date": at,
        "committer_name": commit.author,
        "committer_email": mail,
        "committed_date": at,
        "trailers": {},
        "extended_trailers": {},
        "web_url": f"{project.url}/{project.path}/-/commit/{commit.sha}",
    }


def _merge_request_json(call: Call, project: Project, one: MergeRequest, **more: Json) -> Json:
    by = _account(project.url, "maria") if one.merged_at else None
    told = {
        "id": 1_000 * project.id + one.iid,
        "iid": one.iid,
        "project_id": project.id,
        "title": one.title,
        "description": one.description,
        "state": one.state,
        "created_at": _time(one.created_at),
        "updated_at": _time(one.updated_at),
        "merged_at": _time(one.merged_at) if one.merged_at else None,
        "closed_at": None,
        "merged_by": by,
        "merge_user": by,
        "author": _account(project.url, one.author),
        "assignee": None,
        "target_branch": one.target,
        "source_branch": one.source,
        "upvotes": 0,
        "downvotes": 0,
        "user_notes_count": 0,
        "source_project_id": one.source_project_id,
        "target_project_id": project.id,
        "labels": one.labels,
        "draft": one.title.startswith("Draft: "),
        "work_in_progress": one.title.startswith("Draft: "),
        "milestone": None,
        "merge_when_pipeline_succeeds": False,
        "merge_status": "can_be_merged",
        "sha": one.head,
        "merge_commit_sha": one.merge_commit,
        "squash_commit_sha": one.squash_commit,
        "squash": one.squash_commit is not None,
        "should_remove_source_branch": None,
        "force_remove_source_branch": None,
        "web_url": f"{project.url}/{project.path}/-/merge_requests/{one.iid}",
    }
    return call.fake.checked("merge_request", told | more)


def _branch_json(call: Call, project: Project, name: str) -> Json:
    told = {
        "name": name,
        "commit": _commit_json(project, project.commits[project.branches[name]]),
        "merged": False,
        "protected": name == project.default_branch,
        "default": name == project.default_branch,
        "developers_can_push": False,
        "developers_can_merge": False,
        "can_push": True,
        "web_url": f"{project.url}/{project.path}/-/tree/{name}",
    }
    return call.fake.checked("branch", told)


def _account(url: str, username: str) -> Json:
    name = username.capitalize()
    return {"id": 3, "username": username, "name": name, "state": "active", "avatar_url": None, "web_url": f"{url}/{username}"}


def _together(commits: Iterable[Commit]) -> list[Change]:
    """The changes of all of them by path, of merge commits none: they repeat what their parents did."""
    found = {change.path: change for commit in commits if len(commit.parents) < 2 for change in commit.changes}
    return list(found.values())


def _count(diff: str, sign: str) -> int:
    return sum(line.startswith(sign) for line in diff.split("\n"))


def _invalid(words: str) -> Refusal:
    return Refusal(401, {"error": "invalid_token", "error_description": words})


def _time(moment: datetime) -> str:
    """GitLab writes milliseconds, and commits in the zone of who made them."""
    return moment.isoformat(timespec="milliseconds")


def _validator(name: str) -> Draft202012Validator:
    if name not in _VALIDATORS:
        _VALIDATORS[name] = Draft202012Validator({"$ref": f"{name}.json"}, registry=_REGISTRY)
    return _VALIDATORS[name]


_VALIDATORS: dict[str, Draft202012Validator] = {}
_REGISTRY: Registry[Any] = Registry().with_resources(
    (file.name, Resource.from_contents(json.loads(file.read_text()))) for file in SCHEMAS.glob("*.json")
)
