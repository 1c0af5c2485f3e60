"""The whole client against a GitHub that nobody here wrote, below the path of an Enterprise Server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blametrail.codehosts.access import Access, Credential, Kind, Level, WriteAccess
from blametrail.codehosts.facts import FileStatus, PullRequestState, Relation
from blametrail.codehosts.github.app import App, Installation, installations
from blametrail.codehosts.github.client import GitHub, WritableGitHub
from blametrail.codehosts.host import HostError, NotVisible, TokenRefused, UnknownCommit
from tests.peers.emulate import APP_ID, INSTALLATION_ID, TOKEN, Emulate, emulating

SHOP = "admin/shop"


def pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def key() -> str:
    return pem()


@pytest.fixture(scope="module")
def emulate(tmp_path_factory: pytest.TempPathFactory, key: str) -> Iterator[Emulate]:
    with emulating(tmp_path_factory.mktemp("emulate"), key) as emulate:
        yield emulate


def by_token(emulate: Emulate) -> WriteAccess:
    return WriteAccess(uuid4(), Kind.GITHUB, emulate.url, Level.WRITE, Credential.TOKEN, TOKEN, "", "")


def by_app(emulate: Emulate, secret: str, app_id: str = APP_ID) -> Access:
    return Access(uuid4(), Kind.GITHUB, emulate.url, Level.READ, Credential.APP, secret, app_id, INSTALLATION_ID)


async def test_it_reads_a_deploy(emulate: Emulate) -> None:
    base = emulate.put(SHOP, "app.py", "timeout = 5\n", "Start")
    emulate.put(SHOP, "app.py", "timeout = 50\n", "Wait longer")
    head = emulate.put(SHOP, "docs/new.md", "# New\n", "Explain")
    async with GitHub(by_token(emulate)) as host:
        assert (await host.repository(SHOP)).default_branch == "main"
        found = await host.compare(SHOP, base, head)
        assert host.calls == 2
        assert (found.relation, found.total_commits) == (Relation.AHEAD, 2)
        assert [commit.message for commit in found.commits] == ["Wait longer", "Explain"]
        files = {file.path: file for file in found.changes.files}
        assert files["app.py"].patch == "@@ -1,1 +1,1 @@\n-timeout = 5\n+timeout = 50"
        assert files["docs/new.md"].status == FileStatus.ADDED
        assert (await host.compare(SHOP, head, base)).relation == Relation.BEHIND
        detail = await host.commit(SHOP, head)
        assert [file.path for file in detail.changes.files] == ["docs/new.md"] and detail.commit.author == "Admin"


async def test_it_tells_what_is_not_there(emulate: Emulate) -> None:
    async with GitHub(by_token(emulate)) as host:
        with pytest.raises(NotVisible):
            await host.repository("admin/none")
        for asked in (host.compare(SHOP, "f" * 40, "main"), host.commit(SHOP, "f" * 40)):
            with pytest.raises(UnknownCommit):
                await asked
        assert await host.pull_request(SHOP, 999) is None


async def test_it_reads_pages(emulate: Emulate) -> None:
    base = emulate.put("admin/many", "n", "", "Start")
    for number in range(120):
        emulate.put("admin/many", "n", str(number), f"{number}")
    async with GitHub(by_token(emulate)) as host:
        found = await host.compare("admin/many", base, "main")
        assert [commit.message for commit in found.commits] == [str(number) for number in range(120)] and host.calls == 2


async def test_it_opens_a_pull_request_and_sees_it_merged(emulate: Emulate) -> None:
    base = emulate.put(SHOP, "fix.py", "1\n", "Before")
    async with WritableGitHub(by_token(emulate)) as host:
        await host.create_branch(SHOP, "fix/one", base)
        await host.create_branch(SHOP, "fix/one", base)
        other = emulate.put(SHOP, "fix.py", "2\n", "Fix", branch="fix/one")
        with pytest.raises(HostError, match="at another commit"):
            await host.create_branch(SHOP, "fix/one", base)
        made = await host.open_pull_request(SHOP, "fix/one", "main", "Fix it", "Why.")
        assert (made.state, made.head_sha, made.base_branch) == (PullRequestState.OPEN, other, "main")
        assert await host.pull_request(SHOP, made.number) == made
        since = datetime.now(UTC) - timedelta(hours=1)
        assert [fact async for fact in host.merged_since(SHOP, since)] == []
        ready = emulate.post(f"/repos/{SHOP}/pulls", {"head": "fix/one", "base": "main", "title": "Ready"})["number"]
        emulate.admin.put(f"/repos/{SHOP}/pulls/{ready}/merge", json={"merge_method": "squash"}).raise_for_status()
        (merged,) = [fact async for fact in host.merged_since(SHOP, since)]
        assert (merged.number, merged.state) == (ready, PullRequestState.MERGED)
        assert merged.merge_sha == (await host.commit(SHOP, "main")).commit.sha


async def test_it_asks_as_an_app(emulate: Emulate, key: str) -> None:
    async with GitHub(by_app(emulate, key)) as host:
        assert (await host.repository("acme/api")).is_private
        found = await host.token()
        assert (found.login, found.may_read, found.may_write) == ("acme", True, True)
    assert await installations(App(emulate.url, APP_ID, key)) == (Installation(INSTALLATION_ID, "acme", False),)
    async with GitHub(by_app(emulate, pem())) as host:
        with pytest.raises(TokenRefused):
            await host.repository("acme/api")
