"""Report a deploy from CI: gather what git and the CI system know, send it, and never be the reason a pipeline fails."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import stamina

from blametrail.kit import terminal

LARGEST_BODY = 100_000
"""A little less than the 102,400 bytes that the server reads."""
MOST_COMMITS = 100
TRIES = 4
TOTAL_SECONDS = 60.0
LONGEST_WAIT = 30.0
LARGEST_ANSWER = 65_536
GIT_SECONDS = 30
TEXTS = ("commit_message", "description", "deployed_by", "branch", "environment", "version")

FAILED, MISUSED = 1, 2


class CannotReport(Exception):
    """The deploy could not be reported; the text says why and what to do, `exit_code` what `--strict` answers."""

    def __init__(self, message: str, exit_code: int = FAILED, status: str = "failed") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.status = status


class GitFailed(CannotReport):
    """Git did not answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a report goes and under which token, which is never shown."""

    server: str
    token: str = field(repr=False)
    test: bool = False
    seconds: float = 10.0
    key: str = ""

    @property
    def address(self) -> str:
        return f"{self.server}/api/ingest/deploy{'/test' if self.test else ''}"

    @property
    def shown(self) -> str:
        """The server without a password that its address may hold."""
        parts = urlsplit(self.server)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def find_target(server: str, token_file: Path | None, env: Mapping[str, str], **more: Any) -> Target:
    """The target as options and environment name it; raises CannotReport when something is missing."""
    server = (server or env.get("BLAMETRAIL_URL", "")).strip().rstrip("/")
    if not server:
        raise CannotReport("there is no server to report to. Set BLAMETRAIL_URL or pass --server.", MISUSED)
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and server.isprintable()
        httpx.URL(server)
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise CannotReport("the server must be an address such as https://blametrail.example.com.", MISUSED)
    return Target(server, _token(token_file, env), **more)


def _token(token_file: Path | None, env: Mapping[str, str]) -> str:
    try:
        token = (token_file.read_text("utf-8") if token_file else env.get("BLAMETRAIL_TOKEN", "")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CannotReport(f"the token file could not be read ({type(error).__name__}).", MISUSED) from None
    if not token:
        raise CannotReport("there is no deploy token. Set BLAMETRAIL_TOKEN or pass --token-file.", MISUSED)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CannotReport("the deploy token holds characters that no token has. Copy it again.", MISUSED)
    return token


def printable(text: object, secret: str = "") -> str:
    """One line that is safe on a terminal, whoever wrote it, without the secret."""
    return terminal.printable(str(text).replace(secret, "•••") if secret else text)


def read_git(*arguments: str, folder: Path | None = None) -> str:
    """What a git command prints, bytes that are no UTF-8 replaced; raises GitFailed."""
    # Settings of the repository must not change what is printed.
    command = ["git", *(["-C", str(folder)] if folder else []), "-c", "log.showSignature=false", *arguments]
    env = os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_SECONDS, env=env, check=False)
    except FileNotFoundError:
        raise GitFailed("git is not installed here") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise GitFailed(f"git did not answer ({type(error).__name__})") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitFailed(printable(lines[0]) if lines else f"git ended with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def build_report(given: Mapping[str, str], commits_since: str, env: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The body of the post, and notes on what could not be found; an empty option counts as not given."""
    said = {name: _unicode(value) for name, value in given.items() if value}
    sha = said.get("commit_sha") or _commit(env)
    notes: list[str] = []
    author = message = ""
    if not ("commit_message" in said and ("deployed_by" in said or _first(env, "GITHUB_ACTOR", "GITLAB_USER_LOGIN"))):
        try:
            author, _, message = read_git(*_log("-1", "--format=%an%x00%B"), sha, "--").rstrip("\n").partition("\0")
        except GitFailed as error:
            notes.append(f"the message of {printable(sha)} could not be read ({error})")
    found = {
        "commit_message": message,
        "branch": _first(env, "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME") or ("" if "branch" in said else _branch()),
        "deployed_by": _first(env, "GITHUB_ACTOR", "GITLAB_USER_LOGIN") or author,
        "url": _run_url(env),
    }
    report: dict[str, Any] = {name: value for name, value in (found | said | {"commit_sha": sha}).items() if value}
    if commits_since:
        try:
            report["commits"] = commits_between(commits_since, sha)
        except GitFailed as error:
            notes.append(f"the commits since {printable(commits_since)} could not be read ({error})")
    return report, notes


def commits_between(base: str, sha: str) -> list[dict[str, str]]:
    """The commits after `base` up to `sha`, newest first, as a report lists them."""
    text = read_git(
        *_log(f"-{MOST_COMMITS}", "--first-parent", "-z", "--format=%H%x00%an%x00%aI%x00%B"), f"{base}..{sha}", "--"
    )
    fields = text.split("\0")
    rows = zip(*(fields[start::4] for start in range(4)), strict=False)
    return [
        {"sha": commit, "author": author, "message": message.rstrip("\n"), **({"timestamp": at} if _is_time(at) else {})}
        for commit, author, at, message in rows
    ]


def fit(report: dict[str, Any]) -> bytes:
    """The report as JSON of at most the largest body: first commits lose words, then long texts their ends."""
    report = {**report, "commits": [dict(commit) for commit in report.get("commits", [])]}
    if not report["commits"]:
        del report["commits"]
    for longest in (None, 200, 80):
        if len(body := _json(report)) <= LARGEST_BODY:
            return body
        for commit in report.get("commits", ()):
            commit["message"] = (commit["message"].splitlines() or [""])[0][:longest]
            commit["author"] = commit["author"][:longest]
    while len(body := _json(report)) > LARGEST_BODY:
        name = max(TEXTS, key=lambda text: len(report.get(text, "")))
        if len(report.get(name, "")) > 1_000:
            report[name] = report[name][: len(report[name]) * 3 // 4] + "…"
        elif report.get("commits"):
            report["commits"] = report["commits"][: len(report["commits"]) // 2]
        else:
            raise CannotReport("the report is too large even without its texts. Pass shorter options.")
    return body


def send(target: Target, body: bytes) -> dict[str, str]:
    """Post the report, try again while that may help; answers what the server said, or raises CannotReport."""
    return asyncio.run(_send(target, body))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class _TryAgain(Exception):
    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


async def _send(target: Target, body: bytes) -> dict[str, str]:
    stamina.instrumentation.set_on_retry_hooks([])  # they would write to the pipeline's log by themselves
    started = time.monotonic()

    def wait_for(error: Exception) -> bool | float:
        if not isinstance(error, _TryAgain):
            return False
        longest = 6.0 if error.wait is None else error.wait
        if time.monotonic() - started + longest + target.seconds > TOTAL_SECONDS:
            return False
        return True if error.wait is None else error.wait

    headers = {
        "X-Deploy-Token": target.token,
        "X-Idempotency-Key": target.key or str(uuid4()),
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",  # a small answer must not unfold into a large one
    }
    try:
        async for attempt in stamina.retry_context(wait_for, attempts=TRIES, timeout=TOTAL_SECONDS, wait_initial=0.5):
            with attempt:
                return _judge(target, await _post(target, body, headers))
    except _TryAgain as error:
        raise CannotReport(str(error)) from None
    raise AssertionError("a retry ends with an answer or an error")


async def _post(target: Target, body: bytes, headers: dict[str, str]) -> _Answer:
    """One try, ended after its seconds however slowly the server drips; redirects would carry the token away."""
    try:
        async with (
            asyncio.timeout(target.seconds),
            httpx.AsyncClient(timeout=target.seconds, follow_redirects=False) as client,
            client.stream("POST", target.address, content=body, headers=headers) as response,
        ):
            received = b""
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > LARGEST_ANSWER:
                    break
            return _Answer(response.status_code, response.headers, received)
    except (TimeoutError, httpx.TimeoutException):
        raise _TryAgain(f"{target.shown} did not answer within {target.seconds:g} seconds.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = printable(error, target.token) or type(error).__name__
        raise _TryAgain(f"{target.shown} could not be reached ({reason}). Check BLAMETRAIL_URL and the network.") from None


def _judge(target: Target, answer: _Answer) -> dict[str, str]:
    said = _object(answer.body)
    if answer.status == 200 and isinstance(said.get("status"), str):
        return {
            name: printable(said[name], target.token)
            for name in ("status", "deploy_id", "service", "environment")
            if name in said
        }
    if answer.status < 300:
        raise CannotReport(f"{target.shown} answered something else than BlameTrail does. Check BLAMETRAIL_URL.")
    if answer.status < 400:
        where = printable(answer.headers.get("location", "elsewhere"), target.token)
        raise CannotReport(f"{target.shown} redirects to {where}. Set BLAMETRAIL_URL to the address that answers.")
    error = said.get("error")
    message = printable(error.get("message", ""), target.token) if isinstance(error, dict) else ""
    words = f"{target.shown} answered {answer.status}: {message or 'no reason given. Check BLAMETRAIL_URL.'}"
    if answer.status == 429 or answer.status >= 500:
        raise _TryAgain(words, _retry_after(answer.headers.get("retry-after", "")))
    raise CannotReport(words, status="refused")


def _retry_after(header: str) -> float | None:
    return min(float(header), LONGEST_WAIT) if header.isascii() and header.isdigit() and len(header) < 10 else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _json(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()


def _log(*options: str) -> tuple[str, ...]:
    """After these, whatever comes is a revision and never an option."""
    return ("log", *options, "--encoding=UTF-8", "--end-of-options")


def _commit(env: Mapping[str, str]) -> str:
    told = _first(env, "GITHUB_SHA", "CI_COMMIT_SHA")
    if told and (env.get("CI") or env.get("GITHUB_ACTIONS") or env.get("GITLAB_CI")):
        return told
    try:
        return read_git("rev-parse", "--verify", "HEAD").strip()
    except GitFailed as error:
        if told:
            return told
        raise CannotReport(f"there is no commit to report ({error}). Run inside a checkout or pass --commit-sha.") from None


def _branch() -> str:
    try:
        return read_git("symbolic-ref", "--quiet", "--short", "HEAD").strip()
    except GitFailed:  # a detached head is on no branch
        return ""


def _run_url(env: Mapping[str, str]) -> str:
    server, repository, run = (_first(env, f"GITHUB_{part}") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else _first(env, "CI_JOB_URL")


def _first(env: Mapping[str, str], *names: str) -> str:
    return _unicode(next((env[name] for name in names if env.get(name)), ""))


def _unicode(text: str) -> str:
    """Arguments and environment may hold any bytes; a report is UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_time(text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
        return moment.tzinfo is not None and moment.astimezone(UTC) is not None
    except (ValueError, OverflowError):
        return False
