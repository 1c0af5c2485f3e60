"""Search what was merged in a real browser: the address is the state, and webhooks show at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from blametrail.catalog.services import ServiceDraft, create
from blametrail.changes.watch import follow_links
from blametrail.codehosts.facts import FileFact, Files, FileStatus, PullRequestFact, PullRequestState
from blametrail.codehosts.pull_requests import keep_files, keep_pull_request
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from tests.cast import cast, opened
from tests.changes import payloads
from tests.changes.payloads import signed_for_github
from tests.e2e.conftest import Stage
from tests.enriching import KEYS
from tests.running import running

BODY = "Waits longer.\n\n<b>bold</b> and [a link](javascript:alert(1)) stay text."


@pytest.fixture(scope="module")
def stage(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Acme links acme/shop, where thirty pull requests were merged."""
    with running(tmp_path_factory.mktemp("changes") / "data") as server:
        server.found()
        acme = cast(server)
        with opened(server) as db:
            db.write_now(UUID(acme.organization_id), fill)
        yield Stage(server, acme, browser)
        for context in browser.contexts:
            context.close()


def fill(session: ScopedSession) -> None:
    draft = ServiceDraft.checked(name="shop", environment="production", type="web", repositories="acme/shop")
    create(session, KEYS, draft, "test")
    follow_links(session)
    for number in range(1, 31):
        at = now() - timedelta(hours=number)
        title = "Raise retryPolicy" if number == 7 else f"Change number {number}"
        fact = PullRequestFact(
            number=number,
            title=title,
            body=BODY if number == 7 else "",
            author="ada",
            labels=("bug",) if number == 7 else (),
            state=PullRequestState.MERGED,
            url=f"https://github.com/acme/shop/pull/{number}",
            base_branch="main",
            head_branch="",
            head_sha="",
            merge_sha="b" * 40,
            created_at=at,
            updated_at=at,
            merged_at=at,
        )
        files = (FileFact("src/payments/retry.py", FileStatus.MODIFIED, 12, 3), FileFact("README.md", FileStatus.ADDED, 1, 0))
        id_ = keep_pull_request(session, "https://github.com", "acme/shop", fact)
        keep_files(session, id_, Files(files if number == 7 else (), True))


def item(page: Page, title: str) -> str:
    return f"li[data-change]:has-text('{title}')"


def test_it_keeps_the_question_in_the_address(stage: Stage) -> None:
    page = stage.page(path="/changes")
    page.get_by_role("searchbox").fill("retry_policy")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("li[data-change]")).to_have_count(1)
    expect(page.locator("mark").first).to_have_text("retryPolicy")
    assert "q=retry_policy" in page.url
    page.get_by_label("Merged").select_option("24h")
    page.wait_for_url("**range=24h**")
    page.reload()
    expect(page.get_by_role("searchbox")).to_have_value("retry_policy")
    expect(page.get_by_role("button", name="Drop the filter Last 24 hours")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.locator("li[data-change]")).to_have_count(20)
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def test_it_opens_a_change_by_keyboard_as_plain_text(stage: Stage) -> None:
    page = stage.page(path="/changes?path=src/payments")
    button = page.get_by_role("button", name="Raise retryPolicy")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    opened_change = page.locator(".opened")
    expect(opened_change.get_by_text("<b>bold</b> and [a link](javascript:alert(1)) stay text.")).to_be_visible()
    expect(opened_change.get_by_text("+12")).to_be_visible()
    expect(opened_change.get_by_role("heading", name="application logic")).to_be_visible()
    assert opened_change.locator("b, a[href^='javascript']").count() == 0
    link = opened_change.get_by_role("link", name="Link to this").get_attribute("href")
    page.goto(link or "")
    expect(page.locator(".opened")).to_be_visible()
    page.context.close()


def test_it_shows_more_and_what_nothing_fits(stage: Stage) -> None:
    page = stage.page(path="/changes")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("li[data-change]")).to_have_count(30)
    page.goto("/changes?q=nothing+at+all")
    expect(page.get_by_role("heading", name="No change fits")).to_be_visible()
    page.get_by_role("link", name="See all").click()
    expect(page.locator("li[data-change]").first).to_be_visible()
    page.context.close()


def test_it_says_what_to_do_first(stage: Stage) -> None:
    page = stage.page("charlie", path="/changes")
    expect(page.get_by_role("heading", name="No repository is linked")).to_be_visible()
    expect(page.get_by_role("link", name="Link one to a service")).to_have_attribute("href", "/services")
    page.context.close()


def test_it_shows_a_webhook_at_once_and_moves_nothing_that_is_read(stage: Stage) -> None:
    settings = stage.page(path="/settings/webhooks")
    secret = new_secret(settings)
    top = stage.page(path="/changes")
    reading = stage.page(path="/changes", viewport={"width": 1000, "height": 500})
    row = reading.locator(item(reading, "Change number 15"))
    row.scroll_into_view_if_needed()
    reading.wait_for_timeout(300)
    before = row.bounding_box()

    tell(stage, secret, payloads.github_pull_request(901, "Told by a webhook", merged_at=now().isoformat()))
    expect(top.get_by_role("button", name="Told by a webhook")).to_be_visible(timeout=1_000)
    expect(reading.get_by_role("link", name="1 new")).to_be_visible()
    assert row.bounding_box() == before
    reading.get_by_role("link", name="1 new").click()
    expect(reading.get_by_role("button", name="Told by a webhook")).to_be_visible()
    expect(settings.get_by_text("stored").first).to_be_visible()
    assert secret not in settings.context.new_page().content()
    for page in (settings, top, reading):
        assert page.faults == []  # type: ignore[attr-defined]
        page.context.close()


def test_it_reads_a_kept_webhook_again_and_drops_a_secret(stage: Stage) -> None:
    page = stage.page(path="/settings/webhooks")
    page.get_by_role("form", name="Secret for GitHub").wait_for()
    if not page.locator("#github li").count():
        new_secret(page)
    secret = new_secret(page)
    expect(page.get_by_text("Old secret, still taken")).to_be_visible()
    tell(stage, secret, b'{"nobody": "reads this', status=202)
    kept = page.locator(".webhook-log > li", has_text="not readable").filter(has_text="GitHub")
    kept.locator("summary").click()
    expect(page.get_by_text('{"nobody": "reads this')).to_be_visible()
    kept.get_by_role("button", name="Read it again").click()
    expect(page.get_by_text("Read again: not readable.")).to_be_visible()
    old = page.locator("#github li", has_text="Old secret")
    old.get_by_role("button", name="Drop").click()
    old.locator("dialog").get_by_role("button", name="Drop").click()
    expect(page.get_by_text("Old secret, still taken")).to_have_count(0)
    tell(stage, secret, payloads.github_ping(), event="ping")
    page.context.close()
    viewer = stage.page("vera", path="/settings/webhooks")
    expect(viewer.get_by_role("heading", name="Last webhooks")).to_be_visible()
    assert viewer.get_by_role("button", name="Drop").count() == 0 and "reads this" not in viewer.content()
    viewer.context.close()


def new_secret(page: Page) -> str:
    """Beside the one that is there."""
    known = page.locator("#github li").count()
    page.get_by_role("form", name="Secret for GitHub").get_by_role("button").click()
    expect(page.locator("#github li")).to_have_count(known + 1)
    return page.get_by_test_id("secret").inner_text()


def tell(stage: Stage, secret: str, body: bytes, event: str = "pull_request", status: int = 200) -> None:
    headers = signed_for_github(secret, body, uuid4().hex, event)
    answer = httpx.post(f"{stage.server.url}/api/github/webhook", content=body, headers=headers)
    assert answer.status_code == status, answer.text
