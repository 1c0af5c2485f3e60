"""Planted secrets, all journeys, then everything is searched: the database, the log, answers, sockets."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from blametrail.accounts.sessions import COOKIE
from tests.running import PASSWORD, running
from tests.visitor import visiting


async def test_it_leaks_no_planted_secret(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_LOG_LEVEL="DEBUG") as server:
        server.found()
        token = server.service("checkout")["deploy_token"]
        alice = server.sign_in()
        session = alice.cookies[COOKIE]
        invitation = server.form(alice, "invite", email="erin@example.com", role="viewer").json()["secret"].partition("#")[2]
        service_id = next(
            iter(
                json.loads(
                    server.run("service", "create", "second", "--environment", "production", "--type", "web", "--json").stdout
                ).values()
            )
        )
        rotated = server.form(alice, "rotate", service_id=service_id).json()["secret"]
        foreign = "ghp_" + "s3cret" * 6
        secrets = {
            "deploy token": token,
            "session": session,
            "invitation": invitation,
            "rotated": rotated,
            "password": PASSWORD,
        }

        server.post(token, {"commit_sha": "a", "description": f"export GITHUB_TOKEN={foreign}"})
        server.post(token, {"commit_sha": 5, "commit_message": token})
        server.post("dpl_wrong" + token, {"commit_sha": "a"})
        httpx.get(f"{server.url}/api/nothing", headers={"X-Deploy-Token": token, "Cookie": f"{COOKIE}={session}"})
        async with visiting(server.url, f"{COOKIE}={session}", path=f"/services/{service_id}") as visitor:
            for handler in (
                "timeline_state.load",
                "service_state.load",
                "people_state.load",
                "organization_state.load",
                "account_state.load",
                "no_such.handler",
            ):
                await visitor.call(handler, settle=0.2)
            frames = visitor.seen()

        places = {"log": server.log.read_text(), "socket": frames}
        for file in sorted((tmp_path / "data").rglob("*")):
            if file.is_file() and file.name != "secret.key":
                places[file.name] = file.read_bytes().decode("latin-1")
        for page in ("/", "/login/", "/services/", "/settings/"):
            places[page] = httpx.get(server.url + page, headers={"Cookie": f"{COOKIE}={session}"}, follow_redirects=True).text
        key = (tmp_path / "data/secret.key").read_text().strip() if (tmp_path / "data/secret.key").exists() else "no key file"
        leaks = [
            (what, where)
            for what, secret in {**secrets, "key": key}.items()
            for where, text in places.items()
            if secret in text
        ]
        assert leaks == []
        assert frames.count("checkout") and foreign not in places["log"]
