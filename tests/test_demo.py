"""The demo: a repository's history becomes deploys, once."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from blametrail.demo import LONGEST_WAIT, ROLLED_BACK, Commit, History, plan, read_history, service_of, spread
from blametrail.deploys.tables import Deploy
from blametrail.kit.db import EVERY_ORGANIZATION, Database, ScopedSession, select
from blametrail.kit.errors import Invalid
from blametrail.settings import Settings
from tests.running import Server, running

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
START = 1_700_000_000


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    git(tmp_path, "init", "-q", "-b", "trunk", str(folder))
    return folder


@pytest.fixture
def lone_server(tmp_path: Path) -> Iterator[Server]:
    """A server without an organization."""
    with running(tmp_path / "server") as server:
        yield server


def git(folder: Path, *arguments: str, typed: bytes = b"", at: int = START) -> str:
    who = {
        f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in (("NAME", "Ada"), ("EMAIL", "a@b.c"))
    }
    when = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=typed, capture_output=True, check=True, env=os.environ | who | when | own
    )
    return done.stdout.decode().strip()


def grow(folder: Path, commits: int, message: bytes = b"Change %d\n\nwith a body\x01 and a tab\t\n") -> None:
    """Commits an hour apart, written in one go."""
    stream = b""
    for number in range(commits):
        text = message % number if b"%d" in message else message
        stream += b"commit refs/heads/trunk\ncommitter Ada <a@b.c> %d +0000\ndata %d\n%s\n" % (
            START + number * 3_600,
            len(text),
            text,
        )
    git(folder, "fast-import", "--quiet", typed=stream)


def demo(server: Server, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return server.run("demo", str(folder), "--server", server.url, *options, check=False)


def deploys(server: Server) -> list[Deploy]:
    """All deploys, oldest first."""
    settings = Settings(data_dir=server.data_dir, database_url=server.settings.get("BLAMETRAIL_DATABASE_URL", ""))
    database = Database(settings.sqlalchemy_url)
    try:
        return database.read_now(EVERY_ORGANIZATION, lambda s: list(s.exec(select(Deploy).order_by(Deploy.deployed_at))))  # type: ignore[arg-type]
    finally:
        database.close()


def test_it_sends_a_history_once(lone_server: Server, empty: Path) -> None:
    grow(empty, 148)
    git(empty, "remote", "add", "origin", "https://github.com/acme/shop.git")
    told = demo(lone_server, empty, "--days", "10")
    assert told.returncode == 0, told.stderr
    assert "demo@example.com" in told.stdout
    password = told.stdout.partition("password ")[2].split()[0]
    lone_server.sign_in("demo@example.com", password).close()

    sent = deploys(lone_server)
    kinds = Counter(one.kind for one in sent)
    assert kinds["rollback"] == sum(one.idempotency_key.startswith("demo:rollback") for one in sent if one.idempotency_key) > 0
    assert kinds["first"] == 6
    assert kinds["redeploy"] == 0
    assert {one.environment for one in sent} == {"staging", "production"}
    assert (sent[-1].branch, sent[-1].deployed_by) == ("trunk", "Ada")
    assert sent[-1].deployed_at - sent[0].deployed_at > timedelta(days=9)
    assert not any(one.remarks for one in sent)

    again = demo(lone_server, empty, "--days", "10")
    assert (again.returncode, again.stdout.startswith("0 deploys added.")) == (0, True), again.stderr
    assert "with the password that the first run printed" in again.stdout
    assert len(deploys(lone_server)) == len(sent)

    git(empty, "checkout", "-q", "trunk")
    git(empty, "commit", "-q", "--allow-empty", "-m", "One more", at=START + 10**6)
    assert "2 deploys added." in demo(lone_server, empty, "--days", "10").stdout


def test_it_waits_as_long_as_the_server_asks(tmp_path: Path, empty: Path) -> None:
    grow(empty, 4)
    with running(tmp_path / "slow", BLAMETRAIL_INGEST_RATE_LIMIT="6/4second") as server:
        server.found()
        told = demo(server, empty)
        assert (told.returncode, "asks to wait" in told.stderr) == (0, True), told.stderr
        assert len(deploys(server)) == 8
        assert "ign in" not in told.stdout


def test_it_needs_a_running_server_and_a_history(tmp_path: Path, empty: Path) -> None:
    server = Server(tmp_path / "data")
    for folder, words in ((empty, "no commit yet"), (tmp_path / "missing", "cannot be read"), (tmp_path, "cannot be read")):
        told = demo(server, folder)
        assert (told.returncode, words in told.stderr, told.stderr.count("\n")) == (1, True, 1)
    grow(empty, 1)
    told = demo(server, empty)
    assert (told.returncode, "No server answers" in told.stderr) == (1, True)
    assert not (tmp_path / "data").exists()


def test_it_reads_any_message_and_any_path(empty: Path) -> None:
    (empty / "web").mkdir()
    (empty / "web" / "line\nbreak \u00fc").write_text("1")
    (empty / "000").write_text("2")
    git(empty, "add", ".")
    git(empty, "commit", "-q", "-m", "Start")
    for message in (b"caf\xe9 \xff", b"one\n\n\x01\x1e two\n\n--\n", b"\n", "🚀 \u2028 end".encode()):
        # `git commit` would repair bytes that are no Unicode.
        tree, parent = git(empty, "rev-parse", "HEAD^{tree}", "HEAD").split()
        who = f"Ada <a@b.c> {START} +0000"
        raw = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n".encode()
        git(empty, "update-ref", "HEAD", git(empty, "hash-object", "-t", "commit", "-w", "--stdin", typed=raw + message))
    history = read_history(empty, 400)
    assert [c.message for c in history.commits] == [
        "Start",
        "caf\ufffd \ufffd",
        "one\n\n\x01\x1e two\n\n--",
        "",
        "🚀 \u2028 end",
    ]
    assert set(history.commits[0].paths) == {"web/line\nbreak \u00fc", "000"}
    assert [c.paths for c in history.commits[1:]] == [()] * 4
    assert service_of(history.commits[0]) == "web"


def test_it_follows_merges_by_their_first_parent(empty: Path) -> None:
    git(empty, "commit", "-q", "--allow-empty", "-m", "base")
    git(empty, "checkout", "-q", "-b", "side")
    (empty / "worker").mkdir()
    (empty / "worker" / "a").write_text("1")
    git(empty, "add", ".")
    git(empty, "commit", "-q", "-m", "on the side")
    git(empty, "checkout", "-q", "trunk")
    git(empty, "merge", "-q", "--no-ff", "-m", "merged", "side")
    history = read_history(empty, 400)
    assert [c.message for c in history.commits] == ["base", "merged"]
    assert history.commits[1].paths == ("worker/a",)
    assert (history.branch, history.total) == ("trunk", 2)


def test_it_reads_a_shallow_clone_and_no_more_than_it_needs(empty: Path, tmp_path: Path) -> None:
    grow(empty, 6_000, b"Change")
    history = read_history(empty, 40)
    assert (len(history.commits), history.total) == (22, 6_000)
    planned = plan(history, 14, 40, UNTIL)
    assert len(planned) == 40
    assert max(one.body["version"] for one in planned) == "v1.5999.0"
    git(tmp_path, "clone", "-q", "--depth", "3", f"file://{empty}", "shallow")
    assert len(read_history(tmp_path / "shallow", 400).commits) == 3


def test_it_plans_a_single_commit_near_now(empty: Path) -> None:
    grow(empty, 1)
    planned = plan(read_history(empty, 400), 14, 400, UNTIL)
    assert [one.body["environment"] for one in planned] == ["staging", "production"]
    assert timedelta() < UNTIL - planned[-1].at < timedelta(hours=3)


def test_it_takes_production_back_in_a_short_history(empty: Path) -> None:
    grow(empty, 12)
    planned = plan(read_history(empty, 400), 14, 400, UNTIL)
    assert sum(one.key.startswith("demo:rollback:") for one in planned) == 1


def test_it_brings_to_production_hours_after_staging() -> None:
    commits = tuple(Commit(f"{n:040x}", "Ada", START + n * 3_600, f"Change {n}") for n in range(200))
    planned = plan(History("trunk", "", 200, commits), 14, 10_000, UNTIL)
    at = {one.key: one.at for one in planned}
    apart = sorted(at[f"demo:production:{c.sha}"] - at[f"demo:staging:{c.sha}"] for c in commits)
    assert apart[0] > timedelta() and apart[len(apart) // 4] > timedelta(minutes=30), apart
    assert apart[-1] < LONGEST_WAIT


def test_it_removes_what_it_made_and_nothing_else(tmp_path: Path, empty: Path) -> None:
    grow(empty, 14)
    with running(tmp_path / "own") as server:
        server.found()
        server.post(server.service("web")["deploy_token"])
        assert demo(server, empty).returncode == 0
        assert len(deploys(server)) == 1 + 14 * 2 + 1
        told = server.run("demo", "--remove")
        assert "demo-web is removed, with " in told.stdout and "organization" not in told.stdout
        assert [one.commit_sha for one in deploys(server)] == ["abc1234"]
        assert server.run("demo", "--remove").stdout == "There is nothing of the demo.\n"
        assert "29 deploys added." in demo(server, empty).stdout


def test_it_removes_its_own_organization(lone_server: Server, empty: Path) -> None:
    grow(empty, 2)
    told = demo(lone_server, empty)
    assert f"BLAMETRAIL_DATA_DIR={lone_server.data_dir} blametrail demo --remove" in told.stdout
    assert "The organization Demo and demo@example.com are removed." in lone_server.run("demo", "--remove").stdout
    assert deploys(lone_server) == []
    lone_server.found()


def test_it_keeps_a_service_of_its_own_that_is_in_use(lone_server: Server, empty: Path) -> None:
    grow(empty, 2)
    demo(lone_server, empty)
    settings = Settings(data_dir=lone_server.data_dir, database_url=lone_server.settings.get("BLAMETRAIL_DATABASE_URL", ""))
    database = Database(settings.sqlalchemy_url)
    try:
        database.write_now(EVERY_ORGANIZATION, _take_over_a_deploy)
    finally:
        database.close()
    told = lone_server.run("demo", "--remove").stdout
    assert " stays: 1 of its deploys are not of the demo." in told and "organization" not in told
    assert {one.idempotency_key for one in deploys(lone_server)} > {None}


def _take_over_a_deploy(session: ScopedSession) -> None:
    first = session.exec(select(Deploy)).first()
    assert first is not None
    first.idempotency_key = None
    session.add(first)


def test_it_keeps_order_between_staging_production_and_rollbacks() -> None:
    commits = tuple(Commit(f"{n:040x}", "Ada", START + n**3 % 977 * 60, f"Change {n}") for n in range(300))
    planned = plan(History("trunk", "", 300, commits), 7, 10_000, UNTIL)
    assert [one.at for one in planned] == sorted(one.at for one in planned)
    assert UNTIL - timedelta(days=7) <= planned[0].at
    assert planned[-1].at < UNTIL
    assert len({one.key for one in planned}) == len(planned)
    live: dict[tuple[str, str], str] = {}
    ever: set[tuple[str, str, str]] = set()
    for one in planned:
        place = (one.service, one.body["environment"])
        assert one.body["previous_commit_sha"] == live.get(place, "")
        rollback = "Rolled back" in one.body.get("description", "")
        assert ((*place, one.body["commit_sha"]) in ever) is rollback
        assert rollback is one.key.startswith("demo:rollback:")
        if not rollback:
            assert one.body["commits"][0]["sha"] == one.body["commit_sha"]
            assert len(one.body["commits"]) <= 100
        live[place] = one.body["commit_sha"]
        ever.add((*place, one.body["commit_sha"]))
    assert sum(one.key.startswith("demo:rollback:") for one in planned) == len(commits) // ROLLED_BACK


@pytest.mark.parametrize("times", [[], [5], [5, 5, 5], [100, 5, 90_000_000], list(range(0, 10**9, 10**7))])
def test_it_spreads_times_in_their_order(times: list[int]) -> None:
    placed = spread(times, timedelta(days=14), UNTIL)
    assert len(placed) == len(times)
    assert all(earlier < later for earlier, later in pairwise(placed))
    assert all(UNTIL - timedelta(days=14, microseconds=1) <= at < UNTIL for at in placed)


def test_it_refuses_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be read"):
        read_history(tmp_path, 10)
