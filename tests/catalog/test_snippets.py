"""The CI snippets are run as shown: against a receiver, in the shells that CI systems use."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from blametrail.catalog import snippets as catalog
from blametrail.catalog.snippets import Snippet, snippets, try_it
from blametrail.deploys.report import DeployReport, parse_report
from blametrail.kit.errors import Invalid
from tests.running import ROOT

TOKEN = "dpl_Xk3-secret_never_shown_Q9"
SLOWEST_RUN = 15.0
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
STRICT_BASH = ("bash", "-euo", "pipefail")
DASH = ("dash", "-eu")
BUSYBOX = ("busybox", "sh", "-eu")

_CONTROLS = "".join(chr(code) for code in range(1, 32))
_EVERY_CONTINUATION_BYTE = "".join(chr(0x1F600 + code) for code in range(64)) + "".join(
    chr(code) for code in range(0x80, 0x180)
)
_NASTY = (
    "fix: \"double\" and 'single' $(touch pwned) `touch pwned` ${HOME} %s %d \\n \\u0041 \\\n"
    "\n# not a comment\n\ttab\r\n\\\\server\\share\\\n$BLAMETRAIL_TOKEN ${{ github.token }} @- -H\nEOF\nJSON\n"
)
MESSAGES = {
    "hostile": f"{_NASTY}{_CONTROLS}\x7f\u2028\n{_EVERY_CONTINUATION_BYTE}\n{'x😀' * 5_000}\n",
    "one long line of emoji": "a" + "😀" * 6_000,
    "90 kB": "words and words\n" * 5_625,
    "newlines around": "\n\n  title\n\n\n",
    "no newline at the end": "title\n\nbody",
    "nothing": "",
}


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    report: DeployReport


@dataclass
class Receiver:
    """Answers with the planned statuses, then with 200; with 400 what the ingest route would refuse."""

    port: int
    planned: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)
    hang: Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> int:
        if self.hang is not None:
            self.hang.wait(SLOWEST_RUN)
        try:
            self.got.append(Received(path, headers, parse_report(body)))
        except Invalid:
            return 400
        return self.planned.pop(0) if self.planned else 200


@dataclass(frozen=True)
class Way:
    """One way to run one snippet."""

    title: str
    shell: tuple[str, ...]
    awk: str = "awk"

    def __str__(self) -> str:
        return f"{self.title}, {self.shell[0]}, {self.awk}".replace(", awk", "")

    @property
    def missing(self) -> str:
        return next((program for program in (self.shell[0], self.awk) if shutil.which(program) is None), "")


WAYS = [
    Way("curl", STRICT_BASH),
    Way("curl", DASH),
    Way("curl", BUSYBOX),
    Way("GitHub Actions", BASH),
    Way("GitLab CI", ("sh", "-e")),
    Way("GitLab CI", ("busybox", "sh", "-eo", "pipefail")),
    Way("Any shell", DASH, "mawk"),
    Way("Any shell", BUSYBOX, "busybox"),
    Way("Any shell", STRICT_BASH, "mawk"),
    Way("Any shell", STRICT_BASH, "gawk"),
]
EVERY_SNIPPET = [WAYS[0], WAYS[3], WAYS[4], WAYS[6]]

each_way = pytest.mark.parametrize("way", WAYS, ids=str)
each_snippet = pytest.mark.parametrize("way", EVERY_SNIPPET, ids=str)


@dataclass(frozen=True)
class Ran:
    code: int
    output: str
    seconds: float


@dataclass
class Machine:
    """A CI runner: a clone with one commit, folders of its own and programs put first in the path."""

    folder: Path
    sha: str = ""

    def __post_init__(self) -> None:
        for name in ("clone", "home", "temporary", "programs"):
            (self.folder / name).mkdir()

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def environment(self) -> dict[str, str]:
        own = {"HOME": "home", "TMPDIR": "temporary", "RUNNER_TEMP": "temporary"}
        path = f"{self.folder / 'programs'}{os.pathsep}{os.environ['PATH']}"
        names = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.c"}
        plain = {"PATH": path, "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", "no_proxy": "127.0.0.1"}
        return plain | names | {name: str(self.folder / folder) for name, folder in own.items()}

    def commit(self, message: str) -> None:
        (self.folder / "message").write_bytes(message.encode())
        self._git("init", "--quiet", "--initial-branch", 'release/"1"')
        self._git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", "../message")
        self.sha = self._git("rev-parse", "HEAD").strip()

    def install(self, name: str, text: str) -> None:
        program = self.folder / "programs" / name
        program.write_text(text)
        program.chmod(0o755)

    def run(self, way: Way, server_url: str, **environment: str) -> Ran:
        """Paste the snippet as shown and run it as that CI does."""
        text, own = _what_runs(_shown(way.title, server_url), self.sha)
        return self.run_text(way, text, own | environment)

    def run_text(self, way: Way, text: str, environment: dict[str, str]) -> Ran:
        if way.missing:
            pytest.skip(f"{way.missing} is not installed")
        awk = self.folder / "programs" / "awk"
        awk.unlink(missing_ok=True)
        awk.symlink_to(shutil.which(way.awk) or way.awk)
        script = self.folder / "script"
        script.write_text(text)
        start = time.monotonic()
        done = subprocess.run(
            [*way.shell, str(script)],
            cwd=self.clone,
            env=self.environment | {"BLAMETRAIL_TOKEN": TOKEN} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout.decode(errors="replace"), time.monotonic() - start)

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.clone, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout


def _shown(title: str, server_url: str) -> Snippet:
    return next(snippet for snippet in snippets(server_url) if snippet.title == title)


def _what_runs(snippet: Snippet, sha: str) -> tuple[str, dict[str, str]]:
    """The script that the CI would run, and the environment it would run it in."""
    if snippet.title == "GitHub Actions":
        return _github(snippet.text, sha)
    if snippet.title == "GitLab CI":
        return _gitlab(snippet.text, sha)
    return snippet.text, {}


def _github(text: str, sha: str) -> tuple[str, dict[str, str]]:
    (step,) = yaml.safe_load(text)
    context = {
        "secrets.BLAMETRAIL_TOKEN": TOKEN,
        "github.sha": sha,
        "github.ref_name": "main",
        "github.actor": "octocat",
        "github.server_url": "https://github.com",
        "github.repository": "acme/shop",
        "github.run_id": "1658821493",
    }
    evaluated = {
        name: re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda found: context[found[1]], value) for name, value in step["env"].items()
    }
    return step["run"], {"GITHUB_RUN_ID": "1658821493", "GITHUB_JOB": "deploy", "GITHUB_SHA": sha} | evaluated


def _gitlab(text: str, sha: str) -> tuple[str, dict[str, str]]:
    job = yaml.safe_load(text)["blametrail"]
    lines = [line for line in job["before_script"] + job["script"] if not line.startswith("apk ")]
    return "\n".join(lines), {
        "CI_COMMIT_SHA": sha,
        "CI_COMMIT_MESSAGE": "from the variable",
        "CI_COMMIT_REF_NAME": "main",
        "CI_JOB_NAME_SLUG": "blametrail",
        "CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/7",
        "CI_PIPELINE_ID": "5150",
        "CI_PIPELINE_URL": "https://gitlab.com/acme/shop/-/pipelines/5150",
        "GITLAB_USER_LOGIN": "tanuki",
    }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = known.answer(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in ({} if status == 200 else known.headers).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known = Receiver(server.server_address[1])
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield known
        if known.hang is not None:
            known.hang.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_url() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"


@each_way
@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_it_delivers_the_message_intact(machine: Machine, receiver: Receiver, way: Way, message: str) -> None:
    machine.commit(message)
    ran = machine.run(way, receiver.url)
    assert ran.code == 0, ran.output
    assert [one.report.commit_message for one in receiver.got] == [message], ran.output
    assert [path.name for path in machine.clone.iterdir()] == [".git"]
    assert TOKEN not in ran.output


@each_way
def test_it_sends_what_the_ingest_route_asks_for(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Ship it")
    machine.run(way, f"{receiver.url}/")
    (one,) = receiver.got
    assert one.path == "/api/ingest/deploy"
    assert one.headers["content-type"] == "application/json"
    assert one.headers["x-deploy-token"] == TOKEN
    assert machine.sha in one.headers["x-idempotency-key"]
    assert one.report.commit_sha == machine.sha
    assert one.report.branch in {"main", 'release/"1"'}
    assert one.report.deployed_by
    assert one.report.environment == ""


@pytest.mark.parametrize(
    ("title", "variable"),
    [(way.title, "CI_ENVIRONMENT_NAME" if way.title == "GitLab CI" else "BLAMETRAIL_ENVIRONMENT") for way in EVERY_SNIPPET],
)
def test_it_sends_the_environment_when_there_is_one(machine: Machine, receiver: Receiver, title: str, variable: str) -> None:
    machine.commit("Ship it")
    way = next(way for way in EVERY_SNIPPET if way.title == title)
    machine.run(way, receiver.url, **{variable: "staging"})
    assert [one.report.environment for one in receiver.got] == ["staging"]


@pytest.mark.parametrize(
    ("way", "url", "who"),
    [
        (WAYS[3], "https://github.com/acme/shop/actions/runs/1658821493", "octocat"),
        (WAYS[4], "https://gitlab.com/acme/shop/-/pipelines/5150", "tanuki"),
    ],
    ids=str,
)
def test_it_links_the_run_of_the_ci(machine: Machine, receiver: Receiver, way: Way, url: str, who: str) -> None:
    machine.commit("Ship it")
    machine.run(way, receiver.url)
    assert [(one.report.url, one.report.deployed_by) for one in receiver.got] == [(url, who)]


@each_snippet
def test_it_repeats_a_failed_post_under_the_same_key(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Ship it")
    receiver.planned = [500, 200]
    assert machine.run(way, receiver.url).code == 0
    first, second = receiver.got
    assert first == second
    assert first.headers["x-idempotency-key"]


@pytest.mark.parametrize(("way", "run"), [(WAYS[3], "GITHUB_RUN_ID"), (WAYS[4], "CI_PIPELINE_ID")], ids=str)
def test_it_keeps_the_key_for_a_repeated_run_of_the_ci(machine: Machine, receiver: Receiver, way: Way, run: str) -> None:
    machine.commit("Ship it")
    for number in ("1", "1", "2"):
        machine.run(way, receiver.url, **{run: number})
    first, again, other = (one.headers["x-idempotency-key"] for one in receiver.got)
    assert first == again != other


@each_snippet
def test_it_passes_when_the_server_is_down(machine: Machine, closed_url: str, way: Way) -> None:
    machine.commit("Ship it")
    ran = _run_impatiently(machine, way, closed_url, "--retry 1")
    assert ran.code == 0
    assert ran.seconds < SLOWEST_RUN
    assert "BlameTrail was not told of this deploy" in ran.output
    assert TOKEN not in ran.output


@each_snippet
def test_it_passes_when_the_server_hangs(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Ship it")
    receiver.hang = Event()
    ran = _run_impatiently(machine, way, receiver.url, "--retry 0")
    assert ran.code == 0
    assert ran.seconds < SLOWEST_RUN
    assert "BlameTrail was not told of this deploy" in ran.output


@each_snippet
@pytest.mark.parametrize("status", [400, 401, 413])
def test_it_passes_when_the_deploy_is_refused(machine: Machine, receiver: Receiver, way: Way, status: int) -> None:
    machine.commit("Ship it")
    receiver.planned = [status]
    ran = machine.run(way, receiver.url)
    assert ran.code == 0
    assert len(receiver.got) == 1
    assert "BlameTrail was not told of this deploy" in ran.output
    assert TOKEN not in ran.output


@each_snippet
@pytest.mark.parametrize("status", [429, 503])
def test_it_does_not_wait_an_hour_when_asked_to(machine: Machine, receiver: Receiver, way: Way, status: int) -> None:
    machine.commit("Ship it")
    receiver.planned, receiver.headers = [status], {"Retry-After": "3600"}
    ran = machine.run(way, receiver.url)
    assert ran.code == 0
    assert ran.seconds < SLOWEST_RUN
    assert len(receiver.got) == 1


@each_snippet
def test_it_passes_when_the_token_is_not_set(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Ship it")
    receiver.planned = [401]
    ran = machine.run(way, receiver.url, BLAMETRAIL_TOKEN="")
    assert ran.code == 0
    assert "BlameTrail was not told of this deploy" in ran.output


@each_snippet
def test_it_keeps_token_and_message_out_of_the_process_list(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Not in any argument")
    for name in ("curl", "jq"):
        real = shutil.which(name)
        machine.install(name, f'#!/bin/sh\nprintf "%s\\n" "$@" >> "$HOME/arguments"\nexec {real} "$@"\n')
    machine.run(way, receiver.url)
    arguments = (machine.folder / "home" / "arguments").read_text()
    assert [one.headers["x-deploy-token"] for one in receiver.got] == [TOKEN]
    assert "/api/ingest/deploy" in arguments
    assert TOKEN not in arguments
    assert "Not in any argument" not in arguments


@each_snippet
def test_it_keeps_the_token_out_of_a_traced_run(machine: Machine, receiver: Receiver, way: Way) -> None:
    machine.commit("Ship it")
    ran = machine.run(replace(way, shell=(*way.shell, "-x")), receiver.url)
    assert [one.headers["x-deploy-token"] for one in receiver.got] == [TOKEN]
    assert ran.output.startswith("+")
    assert TOKEN not in ran.output


@pytest.mark.parametrize(("way", "message"), [(WAYS[3], ""), (WAYS[4], "from the variable")], ids=str)
def test_it_reports_without_a_checkout(machine: Machine, receiver: Receiver, way: Way, message: str) -> None:
    machine.sha = "c0ffee"
    assert machine.run(way, receiver.url).code == 0
    assert [(one.report.commit_sha, one.report.commit_message) for one in receiver.got] == [("c0ffee", message)]


@each_snippet
def test_it_puts_no_context_expression_into_a_script(way: Way) -> None:
    text, _ = _what_runs(_shown(way.title, "https://trail.example.com"), "c0ffee")
    assert "${{" not in text


def test_it_cannot_fail_the_pipeline_by_its_settings() -> None:
    (step,) = yaml.safe_load(_shown("GitHub Actions", "https://trail.example.com").text)
    job = yaml.safe_load(_shown("GitLab CI", "https://trail.example.com").text)["blametrail"]
    assert step["continue-on-error"] is True
    assert step["shell"] == "bash"
    assert job["allow_failure"] is True


@pytest.mark.parametrize("url", ["https://trail.example.com", "https://trail.example.com/"])
def test_it_shows_the_address_of_the_server(url: str) -> None:
    shown = snippets(url)
    assert [one.title for one in shown] == ["curl", "GitHub Actions", "GitLab CI", "Any shell"]
    for text in [*(one.text for one in shown), try_it(url)]:
        assert text.count("https://trail.example.com/api/ingest/deploy") == 1
        assert "__BLAMETRAIL" not in text


@pytest.mark.parametrize("title", ["curl", "GitHub Actions", "GitLab CI", "Any shell"])
def test_it_bounds_the_time_of_every_post(title: str) -> None:
    assert "curl -fsS -m 10 --retry 3 --retry-max-time 60 " in _shown(title, "https://trail.example.com").text


@pytest.mark.parametrize("title", ["curl", "GitHub Actions", "GitLab CI", "Any shell"])
def test_it_says_in_a_sentence_where_the_token_goes(title: str) -> None:
    hint = _shown(title, "https://trail.example.com").hint
    assert "BLAMETRAIL_TOKEN" in hint
    assert hint.endswith(".")
    assert ". " not in hint


def test_it_reads_the_snippets_packed_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "integrations", tmp_path / "_integrations")
    packed = tmp_path / "_integrations" / "snippets" / "curl.sh"
    packed.write_text(f"# packed\n{packed.read_text()}")
    monkeypatch.setattr(catalog, "_PACKAGE", tmp_path)
    monkeypatch.setattr(catalog, "_read", catalog._read.__wrapped__)
    assert _shown("curl", "https://trail.example.com").text.startswith("# packed\n")


def test_it_reports_a_first_deploy_by_hand(machine: Machine, receiver: Receiver) -> None:
    line = try_it(receiver.url)
    assert "\n" not in line
    assert machine.run_text(Way("by hand", ("sh", "-e")), line, {}).code == 0
    (one,) = receiver.got
    assert one.report.commit_sha
    assert one.headers["x-deploy-token"] == TOKEN
    assert one.headers["content-type"] == "application/json"


def _run_impatiently(machine: Machine, way: Way, server_url: str, retry: str) -> Ran:
    """Run the snippet with shorter waits than it is shown with."""
    text, environment = _what_runs(_shown(way.title, server_url), machine.sha)
    return machine.run_text(way, text.replace("-m 10", "-m 0.5").replace("--retry 3", retry), environment)
