"""An app is made at GitHub by its manifest, for the one who began it, and its key never passes the browser."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from blametrail.accounts.sessions import COOKIE
from tests.cast import Cast, cast
from tests.peers.github import READ, FakeGitHub
from tests.peers.github_state import Installed
from tests.running import Server, running


@dataclass
class Stage:
    server: Server
    cast: Cast
    github: FakeGitHub

    def client(self, who: str = "alice") -> httpx.Client:
        name, _, value = self.cast.cookies[who].partition("=")
        return httpx.Client(base_url=self.server.url, cookies={name: value}, headers={"Origin": self.server.url}, timeout=30)

    def begin(self, client: httpx.Client, **fields: str) -> str:
        """The state that goes to GitHub and comes back."""
        wanted = {"host_url": self.github.url, "account": "acme", "level": "read", **fields}
        location = client.post("/form/github-app", json=wanted).raise_for_status().json()["location"]
        return str(httpx.URL(location).params["state"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("github-app") / "data"
    with FakeGitHub() as github, running(folder, BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server:
        server.found()
        yield Stage(server, cast(server), github)


def test_it_carries_a_manifest_to_that_host_only(stage: Stage) -> None:
    with stage.client() as alice:
        state = stage.begin(alice, account='ac"me<')
        page = alice.get("/form/github-app/leave", params={"state": state})
        assert f"form-action {stage.github.url};" in page.headers["content-security-policy"]
        action = html.unescape(re.findall(r'action="([^"]*)"', page.text)[0])
        assert action.startswith(f"{stage.github.url}/organizations/ac%22me%3C/settings/apps/new?state=")
        manifest = json.loads(html.unescape(re.findall(r'name="manifest" value="([^"]*)"', page.text)[0]))
    assert manifest["default_permissions"]["contents"] == "read" and manifest["public"] is False
    assert manifest["redirect_url"] == f"http://127.0.0.1:{stage.server.port}/form/github-app/made"


def test_it_makes_installs_and_tests_an_app(stage: Stage) -> None:
    app = stage.github.offer_manifest("a-code", 8)
    with stage.client() as alice:
        state = stage.begin(alice)
        made = alice.get("/form/github-app/made", params={"code": "a-code", "state": state})
        assert made.status_code == 200 and "/installations/new" in made.text
        again = alice.get("/form/github-app/made", params={"code": "a-code", "state": state})
        assert again.status_code == 502 and "used already" in again.text
        app.installations[70] = Installed("acme", dict(READ))
        back = alice.get("/form/github-app/installed", params={"installation_id": "70", "setup_action": "install"})
        assert (back.status_code, back.headers["location"]) == (303, "/settings/code-hosts")
    key = app.private_key.splitlines()[1]
    database = b"".join(f.read_bytes() for f in stage.server.data_dir.glob("blametrail.db*"))
    for where in (made.text, again.text, stage.server.log.read_text(), database.decode("latin-1")):
        assert key not in where
    asked = [(r.path, r.status) for r in stage.github.requests]
    assert ("/app/installations/70", 200) in asked


@pytest.mark.parametrize("tamper", ["nothing", "a.b", "other person", "other purpose"])
def test_it_refuses_what_was_not_begun_by_this_person(stage: Stage, tamper: str) -> None:
    with stage.client() as alice, stage.client("charlie") as charlie:
        state = stage.begin(alice, host_url="https://another.example")
        forged = {"nothing": "", "a.b": "a.b", "other person": stage.begin(charlie), "other purpose": f"x{state}"}[tamper]
        answer = alice.get("/form/github-app/made", params={"code": "c", "state": forged})
    assert answer.status_code == 403 and "not begun here" in answer.text and COOKIE not in answer.text


def test_it_asks_for_a_host_that_is_not_connected_yet(stage: Stage) -> None:
    with stage.client() as alice:
        answer = alice.post("/form/github-app", json={"host_url": "http://127.0.0.1:9", "account": "", "level": "read"})
    assert answer.status_code == 400 and "already" in answer.text
