"""GitHub's own description of its API (OpenAPI, npm `@octokit/openapi`), cut down to what we ask, and held against real exchanges.

`python -m tests.peers.github_description` fetches it into `.tools`, once: whole, it is 385 MB on disk; cut, below one.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from openapi_core.validation.response.exceptions import InvalidData

from tests.peers.github import Seen
from tests.running import ROOT

PACKAGE = "@octokit/openapi@23.0.2"
FILES = {"github": "api.github.com.json", "ghes": "ghes-3.17.json"}
FOLDER = ROOT / ".tools" / "descriptions"
PATHS = [
    "/user",
    "/app/installations",
    "/app/installations/{installation_id}",
    "/app/installations/{installation_id}/access_tokens",
    "/app-manifests/{code}/conversions",
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/compare/{basehead}",
    "/repos/{owner}/{repo}/commits/{ref}",
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/repos/{owner}/{repo}/pulls/{pull_number}/files",
    "/repos/{owner}/{repo}/git/ref/{ref}",
    "/repos/{owner}/{repo}/git/refs",
]


@cache
def description(name: str) -> OpenAPI:
    """That of GitHub.com, or that of the oldest Enterprise Server which GitHub still describes."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        raise RuntimeError(f"{path} is missing: run python -m tests.peers.github_description")
    return OpenAPI.from_dict(json.loads(path.read_text()))


def violations(name: str, exchanges: Iterable[Seen]) -> Iterator[str]:
    """What the description forbids, or does not know, in requests and their answers."""
    api = description(name)
    for seen in exchanges:
        # The description's template takes one segment; GitHub's servers take several there.
        path = seen.path.replace("/git/ref/heads/", "/git/ref/heads%2F")
        server = "https://api.github.com" if name == "github" else "http://HOSTNAME/api/v3"
        body = json.dumps(seen.body).encode() if seen.body is not None else None
        prefix = "" if name == "github" else "/api/v3"
        request = MockRequest(
            server.removesuffix("/api/v3"),
            seen.method.lower(),
            prefix + quote(path, safe="/%"),
            args=seen.query,
            headers=seen.headers,
            data=body,
        )
        answer = b"" if seen.answer is None else json.dumps(seen.answer).encode()
        response = MockResponse(answer, seen.status, content_type="application/json")
        try:
            api.validate_request(request)
            if seen.status < 300:
                api.validate_response(request, response)
        except OpenAPIError as error:
            yield f"{seen.method} {seen.path} {seen.status}: {_words(error)}"


def _words(error: BaseException) -> str:
    inner = error.__cause__ if isinstance(error, InvalidData) else error
    schema_errors = getattr(inner, "schema_errors", None) or getattr(getattr(inner, "__cause__", None), "schema_errors", None)
    return "; ".join(e.message[:300] for e in schema_errors) if schema_errors else f"{error!r} {inner!r}"[:500]


def fetch() -> None:
    """From the npm registry, by npm."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(Path(folder) / packed.stdout.strip()) as archive:
            for name, file in FILES.items():
                member = archive.extractfile(f"package/generated/{file}")
                assert member is not None
                (FOLDER / f"{name}.json").write_text(json.dumps(_cut(json.load(member))))


def _cut(whole: dict[str, Any]) -> dict[str, Any]:
    """Only the paths above, and what they refer to."""
    paths = {path: whole["paths"][path] for path in PATHS}
    # In the list, an account is described as a person and an enterprise in one; alone, as one of the two.
    listed = paths["/app/installations"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    listed["items"] = {"$ref": "#/components/schemas/installation"}
    needed, todo = set[str](), _references(paths)
    while todo:
        reference = todo.pop()
        if reference not in needed:
            needed.add(reference)
            _, _, kind, name = reference.split("/")
            todo |= _references(whole["components"][kind][name])
    components: dict[str, dict[str, Any]] = {}
    for reference in needed:
        _, _, kind, name = reference.split("/")
        components.setdefault(kind, {})[name] = whole["components"][kind][name]
    whole = {key: whole[key] for key in ("openapi", "info", "servers")} | {"paths": paths, "components": components}
    cut: dict[str, Any] = _with_nulls(whole)
    return cut


def _with_nulls(within: Any) -> Any:
    """GitHub writes `nullable` beside a choice of schemas, where OpenAPI 3.0.3 gives it no meaning: here it has the meant one."""
    if isinstance(within, list):
        return [_with_nulls(one) for one in within]
    if not isinstance(within, dict):
        return within
    inner = {key: _with_nulls(value) for key, value in within.items()}
    if inner.get("nullable") is True and "type" not in inner:
        del inner["nullable"]
        return {"anyOf": [inner, {"type": "object", "nullable": True, "enum": [None]}]}
    return inner


def _references(within: Any) -> set[str]:
    if isinstance(within, dict):
        own = {within["$ref"]} if isinstance(within.get("$ref"), str) else set()
        return own.union(*map(_references, within.values()))
    return set().union(*map(_references, within)) if isinstance(within, list) else set()


if __name__ == "__main__":
    fetch()
