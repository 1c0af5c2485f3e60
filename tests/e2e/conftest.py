"""A real Chromium on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.cast import Cast, cast
from tests.running import PASSWORD, Server, chromium, running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in item.path.as_posix():
            item.add_marker("browser")


@dataclass
class Stage:
    """A server with its cast, and browsers for them."""

    server: Server
    cast: Cast
    browser: Browser

    def context(self, who: str = "alice", **options: object) -> BrowserContext:
        """A browser where somebody is signed in."""
        context = self.browser.new_context(base_url=self.server.url, **options)  # type: ignore[arg-type]
        name, _, value = self.cast.cookies[who].partition("=")
        if value:
            context.add_cookies([{"name": name, "value": value, "url": self.server.url}])
        return context

    def page(self, who: str = "alice", path: str = "/", **options: object) -> Page:
        """A page of somebody, loaded."""
        page = watched(self.context(who, **options).new_page())
        page.goto(path)
        page.locator("main h1").wait_for()
        return page


def watched(page: Page) -> Page:
    """A page that remembers what went wrong in it as `page.faults`."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None)
    page.faults = faults  # type: ignore[attr-defined]
    return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running(tmp_path_factory.mktemp("e2e") / "data") as server:
        server.found()
        yield Stage(server, cast(server), browser)
        for context in browser.contexts:
            context.close()


__all__ = ["PASSWORD", "Stage", "watched"]
