"""What goes wrong with a token, as people meet it: the words on the page, and the mend that works; no deploy is lost."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import cast
from tests.e2e.conftest import Stage
from tests.peers.github import FakeGitHub, File
from tests.running import running

_numbers = count(1)


class Shop:
    """A service of its own with its private repository, of which two commits were deployed."""

    def __init__(self, stage: Stage, github: FakeGitHub) -> None:
        self.stage, self.github = stage, github
        self.name = f"shop{next(_numbers)}"
        self.repository = github.add_repository(f"acme/{self.name}", private=True)
        self.service = stage.server.service(self.name, repository=f"{github.url}/acme/{self.name}")
        self.deploy()

    def deploy(self) -> str:
        """Merge a pull request and deploy it; answers the path of the deploy's page."""
        if self.repository.commits:
            self.repository.merge("Ask for more at once", File("app/db.py", patch="@@ -1 +1 @@\n-pool = 5\n+pool = 50"))
        else:
            self.repository.commit("Start")
        sha = self.repository.branches["main"]
        answer = self.stage.server.post(self.service["deploy_token"], {"commit_sha": sha, "commit_message": "As CI says"})
        assert answer.status_code == 200
        return f"/deploys/{answer.json()['deploy_id']}"


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("code-hosts") / "data"
    with running(folder, BLAMETRAIL_ALLOWED_PRIVATE_HOSTS="127.0.0.1") as server:
        server.found()
        yield Stage(server, cast(server), browser)
        for context in browser.contexts:
            context.close()


@pytest.fixture
def shop(stage: Stage) -> Iterator[Shop]:
    with FakeGitHub() as github:
        github.add_token("ghp_good", scopes=("repo",))
        yield Shop(stage, github)


def connect(page: Page, shop: Shop, token: str) -> None:
    """Fill in the form for GitHub with a token."""
    page.get_by_text("GitHub, with a token").click()
    form = page.get_by_role("form", name="GitHub, with a token")
    form.get_by_label("Address of the host").fill(shop.github.url)
    form.get_by_label("Token").fill(token)
    form.get_by_role("button", name="Save and test").click()


def test_nothing_set(stage: Stage, shop: Shop) -> None:
    deploy = stage.page(path=shop.deploy())
    expect(deploy.get_by_text("No token is set for 127.0.0.1")).to_be_visible()
    expect(deploy.get_by_role("heading", name="As CI says")).to_be_visible()
    settings = stage.page(path="/settings/code-hosts")
    connect(settings, shop, "ghp_good")
    expect(settings.get_by_text("Saved, and it works")).to_be_visible()
    # The page that waits fills itself.
    expect(deploy.get_by_role("link", name="Ask for more at once")).to_be_visible()
    deploy.locator(".files summary", has_text="app/db.py").click()
    expect(deploy.get_by_text("+pool = 50")).to_be_visible()
    assert "ghp_good" not in settings.content() + deploy.content()
    assert deploy.faults == settings.faults == []  # type: ignore[attr-defined]


def test_a_token_that_was_revoked(stage: Stage, shop: Shop) -> None:
    settings = stage.page(path="/settings/code-hosts")
    connect(settings, shop, "ghp_good")
    expect(settings.get_by_text("Saved, and it works")).to_be_visible()
    shop.github.revoke("ghp_good")
    deploy = stage.page(path=shop.deploy())
    expect(deploy.get_by_text("(401)")).to_be_visible()
    expect(deploy.locator(".remedy")).to_contain_text("new token")
    mine = settings.locator(".connections > li", has_text=shop.github.url.partition("://")[2])
    expect(mine.get_by_text("(401)")).to_be_visible()
    shop.github.add_token("ghp_new", scopes=("repo",))
    mine.get_by_text("Replace the secret").click()
    mine.get_by_label("New token").fill("ghp_new")
    mine.get_by_role("button", name="Replace").click()
    expect(mine.get_by_text("Saved, and it works")).to_be_visible()
    expect(mine.get_by_text("(401)")).to_have_count(0)
    expect(deploy.get_by_role("link", name="Ask for more at once")).to_be_visible()


def test_a_token_that_cannot_see_the_repository(stage: Stage, shop: Shop) -> None:
    shop.github.add_token("ghp_public", scopes=("public_repo",), sees=())
    settings = stage.page(path="/settings/code-hosts")
    connect(settings, shop, "ghp_public")
    expect(settings.get_by_text(f"it cannot see acme/{shop.name}")).to_be_visible()
    deploy = stage.page(path=shop.deploy())
    expect(deploy.get_by_text("(404)")).to_be_visible()
    expect(deploy.locator(".remedy")).to_contain_text("repo")
    shop.github.add_token("ghp_public", scopes=("repo",))
    mine = settings.locator(".connections > li", has_text=shop.github.url.partition("://")[2])
    mine.get_by_role("button", name="Test connection").click()
    expect(mine.get_by_text(f"acme/{shop.name}: can be read.")).to_be_visible()
    deploy.get_by_role("button", name="Ask again").click()
    expect(deploy.get_by_role("link", name="Ask for more at once")).to_be_visible()


def test_a_service_that_needs_its_own_token(stage: Stage, shop: Shop) -> None:
    shop.github.add_token("ghp_public", scopes=("public_repo",), sees=())
    settings = stage.page(path="/settings/code-hosts")
    connect(settings, shop, "ghp_public")
    expect(settings.get_by_text("it cannot see")).to_be_visible()
    deploy = stage.page(path=shop.deploy())
    expect(deploy.get_by_text("(404)")).to_be_visible()
    service = stage.page(path=f"/services/{shop.service['id']}")
    expect(service.get_by_role("region", name="Setup")).to_contain_text("(404)")
    service.get_by_text("Use a token of its own").click()
    connect(service, shop, "ghp_good")
    expect(service.get_by_text("Saved, and it works")).to_be_visible()
    expect(deploy.get_by_role("link", name="Ask for more at once")).to_be_visible()
    expect(service.get_by_role("region", name="Setup").get_by_text("Next:")).to_have_count(0)


def test_a_viewer_sees_how_it_is_and_changes_nothing(stage: Stage, shop: Shop) -> None:
    settings = stage.page(path="/settings/code-hosts")
    connect(settings, shop, "ghp_good")
    expect(settings.get_by_text("Saved, and it works")).to_be_visible()
    page = stage.page("vera", "/settings/code-hosts")
    expect(page.locator(".connections")).to_contain_text("ada")
    for word in ("Remove", "Test connection", "Save and test"):
        expect(page.get_by_role("button", name=word)).to_have_count(0)
