"""Planted secrets, all journeys, then everything is searched: the database, the log, answers, sockets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import UUID

import httpx
from sqlmodel import select

from blametrail.accounts.sessions import COOKIE
from blametrail.codehosts.tables import Connection
from blametrail.deploys.tables import Enrichment
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.cast import opened
from tests.peers.github import FakeGitHub, Reply
from tests.running import PASSWORD, Server, running
from tests.visitor import visiting


async def test_it_leaks_no_planted_secret(tmp_path: Path) -> None:
    with (
        FakeGitHub() as github,
        running(tmp_path / "data", BLAMETRAIL_LOG_LEVEL="DEBUG", BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server,
    ):
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
            **connect(server, alice, github),
            "API token": server.form(alice, "api-token", name="reporting").json()["secret"],
            "webhook secret": server.form(alice, "webhook-secret", kind="github").json()["secret"],
        }
        carried = deploy_from(server, github)

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
                "code_hosts_state.load",
                "api_tokens_state.load",
                "jobs_state.load",
                "no_such.handler",
            ):
                await visitor.call(handler, settle=0.2)
            visitor.path = f"/deploys/{carried}"
            await visitor.call("deploy_state.load", settle=0.2)
            frames = visitor.seen()

        places = {"log": server.log.read_text(), "socket": frames}
        for file in sorted((tmp_path / "data").rglob("*")):
            if file.is_file() and file.name != "secret.key":
                places[file.name] = file.read_bytes().decode("latin-1")
        places["answers of the read API"] = httpx.get(
            f"{server.url}/api/v1/deploys", headers={"Authorization": f"Bearer {secrets['API token']}"}
        ).text
        for page in ("/", "/login/", "/services/", "/settings/", "/settings/code-hosts/", "/settings/api-tokens/"):
            places[page] = httpx.get(server.url + page, headers={"Cookie": f"{COOKIE}={session}"}, follow_redirects=True).text
        key = (tmp_path / "data/secret.key").read_text().strip() if (tmp_path / "data/secret.key").exists() else "no key file"
        leaks = [
            (what, where)
            for what, secret in {**secrets, "key": key}.items()
            for where, text in places.items()
            if secret in text
        ]
        assert leaks == []
        assert len(secrets) + 1 >= 12 and "Ask for more at once" in frames
        assert frames.count("checkout") and foreign not in places["log"]


def connect(server: Server, alice: httpx.Client, github: FakeGitHub) -> dict[str, str]:
    """Connections of each kind with their secrets; one is replaced, and one is refused by the host in words that quote it."""
    secrets = {"token": "ghp_canaryOfTheOrganization0001", "replaced": "ghp_canaryThatIsReplaced000002"}
    secrets |= {"refused": "glpat-canaryThatNobodyKnows03", "app key": github.add_app().private_key}
    github.add_token(secrets["replaced"])
    usual = {"kind": "github", "level": "read", "credential": "token", "host_url": github.url}
    assert server.form(alice, "connection", **usual, secret=secrets["token"]).status_code == 200
    with opened(server) as db:
        first = str(db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Connection.id)).one()))
    github.answer("/", Reply(500, {"message": f"cannot serve {secrets['token']}", "token": secrets["token"]}))
    assert server.form(alice, "connection-secret", connection_id=first, secret=secrets["replaced"]).status_code == 200
    gitlab = usual | {"kind": "gitlab", "host_url": github.url.replace("127.0.0.1", "127.0.0.2")}
    assert server.form(alice, "connection", **gitlab, secret=secrets["refused"]).status_code == 200
    app = usual | {"credential": "app", "app_id": "7", "host_url": f"{github.url}/other"}
    assert server.form(alice, "connection", **app, secret=secrets["app key"]).status_code == 200
    return secrets | {"app key": secrets["app key"].splitlines()[1]}


def deploy_from(server: Server, github: FakeGitHub) -> str:
    """A deploy that is enriched with the planted token; answers its id."""
    shop = github.add_repository("acme/shop", private=True)
    made = server.service("enriched", repository=f"{github.url}/acme/shop")
    server.post(made["deploy_token"], {"commit_sha": shop.commit("Start")})
    shop.merge("Ask for more at once")
    deploy_id = server.post(made["deploy_token"], {"commit_sha": shop.branches["main"]}).json()["deploy_id"]
    with opened(server) as db:
        for _ in range(100):
            row = db.read_now(EVERY_ORGANIZATION, lambda s: s.get(Enrichment, UUID(deploy_id)))
            if row and row.state == "complete":
                return str(deploy_id)
            time.sleep(0.1)
    raise AssertionError("the deploy was not enriched")
