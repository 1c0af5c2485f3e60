"""The command line as its users call it: a process of its own, a real server, real repositories."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from blametrail import deploy_client
from blametrail.accounts.tables import Organization
from blametrail.deploys.find import DeployDetail, find_deploy
from blametrail.kit.db import EVERY_ORGANIZATION, Database
from blametrail.settings import Settings
from tests.running import BLAMETRAIL, PASSWORD, Server, database_settings, drop_database, free_port

HOSTILE = 'it\'s "quoted" `id` $(touch /tmp/pwned) ${HOME} \\n %s 🚀 žluť\n\n\ttab\nlast; rm -rf /\n'


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The deploy token of a service for these tests."""
    made: str = server.service("command-line")["deploy_token"]
    return made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits by Ada on the branch `trunk`."""
    folder = tmp_path / "checkout"
    git(tmp_path, "init", "-q", "-b", "trunk", str(folder))
    for subject in ("First", "Second", "Third"):
        commit(folder, subject)
    return folder


def git(folder: Path, *arguments: str, typed: str | bytes = "") -> str:
    told = typed if isinstance(typed, bytes) else typed.encode()
    who = {
        f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "Ada"), ("EMAIL", "a@b.c"))
    }
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=told, capture_output=True, check=True, env=plain_environment() | who
    )
    return done.stdout.decode().strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-", typed=message)
    return git(folder, "rev-parse", "HEAD")


def plain_environment() -> dict[str, str]:
    """Ours without what a CI system, another test or a person's git settings would add."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLAMETRAIL_", "GITHUB_", "GITLAB_", "CI", "GIT_"))}
    return kept | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def deploy(folder: Path, url: str, token: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`blametrail deploy` in a folder, without raising."""
    env = plain_environment() | {"BLAMETRAIL_URL": url, "BLAMETRAIL_TOKEN": token} | environment
    return subprocess.run(
        [str(BLAMETRAIL), "deploy", *options], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def stored(server: Server, deploy_id: str) -> DeployDetail:
    """A deploy as the server keeps it."""
    settings = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", ""))
    database = Database(settings.sqlalchemy_url)
    try:
        organization_id = database.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one())
        return database.read_now(organization_id, find_deploy, UUID(deploy_id))
    finally:
        database.close()


@contextmanager
def answering(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that gives these answers in turn, the last one for ever; its address, and what it was sent."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, said = answers[min(len(seen), len(answers) - 1)]
            seen.append({"headers": dict(self.headers), "path": self.path, "body": body})
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(said))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{made.server_address[1]}", seen
        made.shutdown()


def test_it_founds_once_and_makes_services_while_stopped_and_while_running(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", database_settings())
    try:
        early = server.run("service", "create", "web", "--environment", "production", "--type", "web", check=False)
        assert (early.returncode, early.stderr) == (
            1,
            "blametrail: There is no organization yet. Run `blametrail init` first.\n",
        )
        server.run("init", "--email", "alice@example.com", "--organization", "Acme", typed=PASSWORD + "\n")
        again = server.run("init", "--email", "x@example.com", "--organization", "X", typed=PASSWORD + "\n", check=False)
        assert again.returncode == 1
        assert again.stderr.count("\n") == 1
        assert "already set up" in again.stderr
        while_stopped = server.service_by_command("web")
        assert set(while_stopped) == {"id", "name", "deploy_token"}
        server.start()
        while_running = server.service_by_command("api", "staging", "--repository", "acme/shop api", "--repository", "acme/lib")
        for made in (while_stopped, while_running):
            assert server.post(made["deploy_token"]).json()["status"] == "accepted"
        server.sign_in().close()
    finally:
        if server.process:
            server.kill(15)
        drop_database(server.settings)


def test_it_keeps_the_password_exactly_as_typed(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", database_settings())
    try:
        server.run("init", "--email", "a@example.com", "--organization", "A", typed="  spaces at the ends  \n")
        server.start()
        server.sign_in("a@example.com", "  spaces at the ends  ").close()
    finally:
        if server.process:
            server.kill(15)
        drop_database(server.settings)


@pytest.mark.parametrize(
    ("email", "organization", "password", "named"),
    [
        ("nobody", "Acme", PASSWORD, "email"),
        ("a@b.example", " ", PASSWORD, "organization"),
        ("a@b.example", "Acme", "short", "password"),
    ],
)
def test_it_names_the_invalid_field(tmp_path: Path, email: str, organization: str, password: str, named: str) -> None:
    made = database_settings()
    try:
        server = Server(tmp_path / "data", made)
        told = server.run("init", "--email", email, "--organization", organization, typed=password, check=False)
        assert told.returncode == 1
        assert named in told.stderr
        assert told.stderr.count("\n") == 1
        assert password not in told.stderr
    finally:
        drop_database(made)


def test_it_says_which_setting_is_wrong(tmp_path: Path) -> None:
    told = Server(tmp_path / "data", {"BLAMETRAIL_LOGIN_RATE_LIMIT": "often"}).run("serve", check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("blametrail: BLAMETRAIL_LOGIN_RATE_LIMIT: ")
    assert told.stderr.count("\n") == 1


def test_it_tells_its_version() -> None:
    told = subprocess.run([str(BLAMETRAIL), "--version"], capture_output=True, text=True, check=True)
    assert told.stdout == f"blametrail {version('blametrail')}\n"


@pytest.mark.parametrize(
    "command",
    [
        ("init", "--email", "a@example.com", "--organization", "A"),
        ("service", "create", "web", "--environment", "production", "--type", "web"),
        ("rotate-keys",),
        ("demo", "--remove"),
    ],
)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"BLAMETRAIL_DATABASE_URL": "postgresql://p:canary@127.0.0.1:1/x"}, "the database could not serve: "),
        ({"BLAMETRAIL_DATABASE_URL": "mysql://p:canary@127.0.0.1/x"}, "BLAMETRAIL_DATABASE_URL: must be an address "),
        ({"BLAMETRAIL_DATA_DIR": "/proc/canary"}, "cannot use /proc/"),
    ],
)
def test_it_says_in_a_line_why_it_cannot_reach_its_data(
    tmp_path: Path, command: tuple[str, ...], wrong: dict[str, str], words: str
) -> None:
    told = Server(tmp_path / "data", wrong).run(*command, typed=PASSWORD, check=False)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (1, "", 1), told.stderr
    assert told.stderr.startswith(f"blametrail: {words}")
    assert "p:canary" not in told.stderr


def test_it_refuses_a_second_service_of_a_name(server: Server, token: str) -> None:
    told = server.run("service", "create", "Command-Line", "--environment", "production", "--type", "web", check=False)
    assert told.returncode == 1
    assert "another service" in told.stderr


def test_it_reports_what_git_knows(server: Server, token: str, repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    told = deploy(repository, server.url, token, "--commits-since", "HEAD~2", "--version", "v1.2.3", "--json")
    answer = json.loads(told.stdout)
    assert (told.returncode, told.stderr, answer["status"]) == (0, "", "accepted")
    kept = stored(server, answer["deploy_id"])
    assert (kept.deploy.commit_sha, kept.message, kept.deploy.branch) == (head, "Third", "trunk")
    assert (kept.deploy.deployed_by, kept.deploy.version) == ("Ada", "v1.2.3")
    assert [c.message for c in kept.commits] == ["Third", "Second"]
    assert all(c.authored_at for c in kept.commits)


def test_it_prefers_what_the_ci_system_says(server: Server, token: str, repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD~2")
    github = {
        "SHA": first,
        "REF_NAME": "release/9",
        "ACTOR": "octo",
        "SERVER_URL": "https://github.example",
        "REPOSITORY": "a/b",
        "RUN_ID": "7",
    }
    told = deploy(repository, server.url, token, "--json", CI="true", **{f"GITHUB_{k}": v for k, v in github.items()})
    kept = stored(server, json.loads(told.stdout)["deploy_id"])
    assert (kept.deploy.commit_sha, kept.message, kept.deploy.branch, kept.deploy.deployed_by) == (
        first,
        "First",
        "release/9",
        "octo",
    )
    assert kept.url == "https://github.example/a/b/actions/runs/7"


def test_it_answers_a_repeated_key_with_the_first_deploy(server: Server, token: str, repository: Path) -> None:
    first, second = (
        json.loads(deploy(repository, server.url, token, "--json", "--idempotency-key", "twice").stdout) for _ in "ab"
    )
    assert (first["status"], second["status"]) == ("accepted", "duplicate")
    assert first["deploy_id"] == second["deploy_id"]


def test_it_stores_nothing_when_it_tests(server: Server, token: str, repository: Path) -> None:
    told = deploy(repository, server.url, token, "--test", "--json")
    assert json.loads(told.stdout) == {"status": "ok", "service": "command-line", "environment": "production"}


@pytest.mark.parametrize("message", [HOSTILE.strip(), "x" * 10_000 + HOSTILE * 130 + "end", "-starts with a dash"])
def test_it_carries_a_message_intact(server: Server, token: str, repository: Path, message: str) -> None:
    commit(repository, message)
    for options in ((), (f"--message={message}",)):
        told = deploy(repository, server.url, token, "--json", *options)
        assert stored(server, json.loads(told.stdout)["deploy_id"]).message == message


def test_it_replaces_bytes_that_are_no_unicode(server: Server, token: str, repository: Path) -> None:
    # `git commit` would repair bytes that are no Unicode.
    raw = subprocess.check_output(["git", "cat-file", "commit", "HEAD"], cwd=repository) + b"caf\xe9 \xff"
    git(repository, "update-ref", "HEAD", git(repository, "hash-object", "-t", "commit", "-w", "--stdin", typed=raw))
    told = deploy(repository, server.url, token, "--json", "--branch", os.fsdecode(b"br\xe9"))
    kept = stored(server, json.loads(told.stdout)["deploy_id"])
    assert (kept.message, kept.deploy.branch) == ("Thirdcaf\ufffd \ufffd", "br\ufffd")


def test_it_takes_the_token_from_a_file(server: Server, token: str, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{token}\n")
    told = deploy(repository, server.url, "", "--token-file", str(tmp_path / "token"), "--strict")
    assert (told.returncode, "accepted" in told.stdout) == (0, True)


@pytest.mark.parametrize(
    ("strict_exit", "change"),
    [
        (2, {"BLAMETRAIL_TOKEN": ""}),
        (2, {"BLAMETRAIL_TOKEN": "dpl_two words"}),
        (2, {"BLAMETRAIL_URL": ""}),
        (2, {"BLAMETRAIL_URL": "blametrail.example.com"}),
        (2, {"BLAMETRAIL_URL": "http://[broken"}),
        (1, {"BLAMETRAIL_TOKEN": "dpl_unknown"}),
        (1, {"BLAMETRAIL_URL": "http://127.0.0.1:{closed}"}),
        (1, {"PATH": ""}),
    ],
    ids=[
        "no token",
        "impossible token",
        "no address",
        "no scheme",
        "no address at all",
        "unknown token",
        "unreachable",
        "no git",
    ],
)
def test_it_never_fails_a_pipeline_unless_strict(
    server: Server, token: str, repository: Path, strict_exit: int, change: dict[str, str]
) -> None:
    change = {name: value.format(closed=free_port()) if "{closed}" in value else value for name, value in change.items()}
    for options, code in (((), 0), (("--strict", "--json"), strict_exit)):
        told = deploy(repository, server.url, token, *options, **change)
        assert (told.returncode, told.stderr.count("\n")) == (code, 1), told.stderr
        assert told.stderr.startswith("blametrail: not reported: ")
        assert token not in told.stderr + told.stdout
    assert json.loads(told.stdout)["error"]


def test_it_forgives_a_misspelt_option_unless_strict(server: Server, token: str, repository: Path) -> None:
    lax = deploy(repository, server.url, token, "--enviroment", "x", "--json")
    assert (lax.returncode, json.loads(lax.stdout)["status"], lax.stderr.count("\n")) == (0, "failed", 1)
    assert deploy(repository, server.url, token, "--enviroment", "x", "--strict").returncode == 2


def test_it_reports_a_commit_that_git_does_not_have(server: Server, token: str, tmp_path: Path) -> None:
    told = deploy(tmp_path, server.url, token, "--sha", "--output=x", "--commits-since", "--output=y", "--json")
    assert (told.returncode, json.loads(told.stdout)["status"]) == (0, "accepted")
    assert list(tmp_path.iterdir()) == []


def test_it_cannot_be_made_to_write_files_by_a_revision(server: Server, token: str, repository: Path) -> None:
    before = sorted(path.name for path in repository.iterdir())
    deploy(repository, server.url, token, "--sha=--output=stolen", "--commits-since=--output=stolen")
    assert sorted(path.name for path in repository.iterdir()) == before


def test_it_removes_terminal_escapes_and_the_token_from_what_a_server_says(repository: Path) -> None:
    secret = "dpl_secret-of-this-test"
    said = json.dumps({"error": {"message": f"\x1b[2J\x1b]0;owned\x07 no\r\nfake line \x9b31m \u202e{secret}"}}).encode()
    with answering((400, {}, said)) as (url, seen):
        told = deploy(repository, url, secret, "--json")
    assert (told.returncode, len(seen), told.stderr.count("\n")) == (0, 1, 1)
    assert all(c.isprintable() for c in told.stderr.rstrip("\n") + json.loads(told.stdout)["error"])
    assert secret not in told.stderr + told.stdout
    good = json.dumps({"status": "accepted\x1b[31m", "deploy_id": f"\x1b]8;;http://x\x07{secret}"}).encode()
    with answering((200, {}, good)) as (url, _):
        told = deploy(repository, url, secret)
    assert "\x1b" not in told.stdout
    assert secret not in told.stdout


def test_it_tries_again_under_the_same_key(repository: Path) -> None:
    ok = b'{"status":"accepted","deploy_id":"one"}'
    with answering((503, {}, b""), (429, {"Retry-After": "1"}, b"{}"), (200, {}, ok)) as (url, seen):
        told = deploy(repository, url, "dpl_x", "--strict", "--json")
    assert json.loads(told.stdout) == {"status": "accepted", "deploy_id": "one"}
    assert len({request["headers"]["X-Idempotency-Key"] for request in seen}) == 1
    assert len({request["body"] for request in seen}) == 1
    assert len(seen) == 3


def test_it_gives_up_after_a_few_tries(repository: Path) -> None:
    with answering((500, {}, b"<html>")) as (url, seen):
        told = deploy(repository, url, "dpl_x", "--strict")
    assert (told.returncode, len(seen)) == (1, 4)
    with answering((429, {"Retry-After": "3600"}, b"")) as (url, seen):
        told = deploy(repository, url, "dpl_x", "--timeout", "50")
    assert (told.returncode, len(seen)) == (0, 1)


def test_it_does_not_carry_the_token_to_another_address(repository: Path) -> None:
    with answering((200, {}, b"{}")) as (other, stolen), answering((307, {"Location": other}, b"")) as (url, _):
        told = deploy(repository, url, "dpl_x", "--strict")
    assert (told.returncode, stolen) == (1, [])
    assert "redirects to" in told.stderr


@pytest.mark.parametrize("page", [b"<html>Sign in to the guest network</html>", b"[]", b"9" * 200_000, b"[" * 60_000])
def test_it_does_not_take_any_page_for_an_answer(repository: Path, page: bytes) -> None:
    with answering((200, {}, page)) as (url, _):
        told = deploy(repository, url, "dpl_x", "--strict")
    assert (told.returncode, "something else than BlameTrail" in told.stderr) == (1, True)


def test_it_ends_a_try_that_drips(repository: Path) -> None:
    """A server that sends a byte now and then must not hold a pipeline."""
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        while not ended.is_set():
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                while not ended.wait(0.2):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: 1\r\n"[:1])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        started = time.monotonic()
        told = deploy(repository, f"http://127.0.0.1:{listener.getsockname()[1]}", "dpl_x", "--timeout", "1", "--strict")
        ended.set()
    assert (told.returncode, time.monotonic() - started < 20) == (1, True)


@pytest.mark.parametrize(
    "report",
    [
        {"commits": [{"sha": f"{n:040}", "author": "Ada", "message": f"Subject {n}\n\n{'🚀' * 9_000}"} for n in range(100)]},
        {"commits": [{"sha": f"{n:040}", "author": "é" * 9_000, "message": "\x01" * 9_000} for n in range(100)]},
        {"commit_message": "Subject\n" + "é" * 200_000, "description": "d" * 300_000},
        {"branch": "b" * 500_000, "version": "v" * 500_000},
    ],
)
def test_it_fits_any_report_into_what_the_server_reads(report: dict[str, Any]) -> None:
    body = deploy_client.fit({"commit_sha": "a" * 40} | report)
    assert len(body) <= deploy_client.LARGEST_BODY
    kept = json.loads(body)
    assert kept["commit_sha"] == "a" * 40
    if "commits" in report:
        assert len(kept["commits"]) >= 50
    if "Subject 0\n" in str(report.get("commits")):
        assert kept["commits"][0]["message"] == "Subject 0"


def test_it_leaves_a_report_that_fits_as_it_is() -> None:
    report = {"commit_sha": "a", "commits": [{"sha": "a", "author": "x", "message": "one\n\ntwo"}]}
    assert json.loads(deploy_client.fit(report)) == report


def test_it_starts_a_report_without_the_server_parts() -> None:
    heavy = (
        "import sys, blametrail.cli, blametrail.deploy_client; print({'reflex', 'sqlmodel', 'alembic'} & sys.modules.keys())"
    )
    python = BLAMETRAIL.with_name("python")
    told = subprocess.run([str(python), "-c", heavy], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"
