"""What changed between two moments, and what was live at one, in a browser far from UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage

FAR: dict[str, Any] = {"timezone_id": "Asia/Kolkata"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KOLKATA = timedelta(hours=5, minutes=30)


@pytest.fixture(scope="module")
def shop(stage: Stage) -> Stage:
    """A service with a rollback at noon of a day in March, and one that stayed as it was."""
    shop = stage.server.service("shop", repository="acme/shop")["deploy_token"]
    mail = stage.server.service("mail")["deploy_token"]
    for minute, sha in ((-60, "a1"), (0, "b1"), (5, "a1"), (10, "c1")):
        post(
            stage,
            shop,
            sha,
            NOON + timedelta(minutes=minute, milliseconds=500),
            commits=[{"sha": f"{sha}x", "message": "Fix it"}],
        )
    post(stage, shop, "c1", NOON - timedelta(days=2), environment="staging")
    post(stage, mail, "m1", NOON - timedelta(days=1))
    return stage


def post(stage: Stage, token: str, sha: str, at: datetime, **more: object) -> None:
    body = {"commit_sha": sha, "commit_message": f"Change {sha}", "deployed_at": at.isoformat(), "deployed_by": "ann"}
    assert stage.server.post(token, body | more).status_code == 200


def address(start: datetime | None, end: datetime, more: str = "&service=shop~mail") -> str:
    first = f"from={quote(start.isoformat())}&to" if start else "at"
    return f"/changes/between?{first}={quote(end.isoformat())}{more}"


@pytest.fixture
def page(shop: Stage) -> Iterator[Page]:
    page = opened(shop, address(NOON, NOON + timedelta(minutes=20)))
    yield page
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def opened(shop: Stage, path: str, **more: Any) -> Page:
    page = shop.page(path=path, **(FAR | more))
    page.locator(".skeleton").wait_for(state="detached")
    return page


def test_it_says_what_changed_and_folds_what_did_not(page: Page) -> None:
    change = page.locator(".changes > li")
    expect(change).to_have_count(1)
    expect(change).to_contain_text("shop")
    expect(change).to_contain_text("a1 → c1")
    expect(change).to_contain_text("3 deploys, 1 rollback")
    expect(change.locator(".between li")).to_have_count(3)
    expect(change.get_by_role("link", name="Compare on the code host")).to_have_attribute(
        "href", "https://github.com/acme/shop/compare/a1...c1"
    )
    expect(page.get_by_role("link", name="Change m1")).to_be_hidden()
    page.get_by_text("2 the same as before").click()
    expect(page.get_by_role("link", name="Change m1")).to_be_visible()
    change.get_by_role("link", name="Change b1").click()
    expect(page.get_by_role("heading", name="Change b1")).to_be_visible()


def test_it_takes_moments_in_the_zone_of_the_reader(page: Page) -> None:
    field = page.get_by_label("To", exact=True)
    expect(field).to_have_value((NOON + KOLKATA + timedelta(minutes=20)).strftime("%Y-%m-%dT%H:%M"))
    expect(page.get_by_text("Times in Asia/")).to_be_visible()
    field.fill((NOON + KOLKATA + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.keyboard.press("Enter")
    page.wait_for_url("**to=2026-03-01T12%3A01%3A00Z**")
    expect(page.locator(".changes > li")).to_contain_text("a1 → b1")
    page.go_back()
    expect(page.locator(".changes > li")).to_contain_text("a1 → c1")


def test_it_shows_at_once_what_comes_in_and_keeps_what_is_being_typed(shop: Stage) -> None:
    token = shop.server.service("chat")["deploy_token"]
    page = opened(shop, "/changes/between?service=chat")
    expect(page.get_by_role("heading", name="Nothing was deployed between these moments")).to_be_visible()
    field = page.get_by_label("From", exact=True)
    field.fill("2026-02-01T10:00:00")
    post(shop, token, "n1", datetime.now(UTC))
    expect(page.get_by_role("link", name="Change n1")).to_be_visible()
    expect(field).to_have_value(re.compile("2026-02-01T10:00"))
    page.context.close()


def test_it_refuses_moments_the_wrong_way_round(page: Page) -> None:
    page.get_by_label("From", exact=True).fill("2027-01-01T00:00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("The first moment must come before the second.")
    page.get_by_label("From", exact=True).fill("")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("This is no moment")


def test_it_goes_to_presets(page: Page) -> None:
    page.get_by_role("group", name="To, at once").get_by_role("button", name="Now").click()
    expect(page.get_by_label("To", exact=True)).not_to_have_value(re.compile("2026-03-01T"))
    now = datetime.now(UTC)
    at = datetime.fromisoformat(page.get_by_label("To", exact=True).input_value()).replace(tzinfo=UTC) - KOLKATA
    assert abs((now - at).total_seconds()) < 60
    page.get_by_role("group", name="From, at once").get_by_role("button", name="Yesterday, same time").click()
    expect(page.get_by_role("heading", name="Nothing was deployed between these moments")).to_be_visible()


def test_it_filters_and_says_what_to_drop(page: Page) -> None:
    page.locator(".dropdown summary", has_text="Environment").click()
    page.get_by_label("staging").click()
    expect(page.get_by_role("heading", name="Nothing was deployed between these moments")).to_be_visible()
    page.get_by_role("button", name="Drop the filter Environment: staging").click()
    expect(page.locator(".changes > li")).to_have_count(1)
    page.goto(page.url + "&env=nowhere")
    expect(page.get_by_role("heading", name="No service fits these filters")).to_be_visible()
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".changes > li")).to_have_count(1)


def test_it_says_what_was_live_at_a_moment(page: Page) -> None:
    page.get_by_role("link", name="At one moment").click()
    expect(page.get_by_role("heading", name="What was live")).to_be_visible()
    live = page.locator(".service-list > li")
    expect(live.filter(has_text="shop").filter(has_text="production")).to_contain_text("Change c1")
    page.get_by_label("At", exact=True).fill((NOON + KOLKATA - timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.get_by_role("button", name="Show", exact=True).click()
    expect(live.filter(has_text="mail")).to_contain_text("No deploy is known from before then. The first one came")
    expect(live.filter(has_text="staging")).to_contain_text("Change c1")


def test_it_is_reached_with_the_moments_filled_in(shop: Stage) -> None:
    page = opened(shop, address(NOON, NOON + timedelta(minutes=20)))
    page.get_by_role("link", name="Change b1").click()
    page.get_by_role("link", name="What else was live then").click()
    expect(page.locator(".service-list > li").filter(has_text="shop")).to_contain_text("Change b1")
    page.go_back()
    page.get_by_role("link", name="What changed since").click()
    expect(page.locator(".changes > li").filter(has_text="shop")).to_contain_text("b1 → c1")
    page.goto("/?from=2026-03-01T11:58:00%2B00:00&to=2026-03-01T12:20:00%2B00:00&service=shop")
    page.get_by_role("link", name="What changed between…").click()
    expect(page.locator(".changes > li")).to_have_count(1)
    expect(page.locator(".changes > li")).to_contain_text("a1 → c1")
    page.goto("/deploys?service=mail")
    page.get_by_role("link", name="What changed between…").click()
    expect(page.get_by_role("button", name="Drop the filter Service: mail")).to_be_visible()
    page.context.close()


def test_it_works_by_keyboard_on_a_phone(shop: Stage) -> None:
    page = opened(shop, address(NOON, NOON + timedelta(minutes=20)), viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="At one moment").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What was live")).to_be_visible()
    preset = page.get_by_role("button", name="1 h ago")
    preset.focus()
    page.keyboard.press("Space")
    page.wait_for_url(lambda url: "at=2026-03-01T12" not in url)
    page.context.close()


def test_it_makes_a_token_that_reads_until_it_is_revoked(shop: Stage) -> None:
    page = opened(shop, "/settings/api-tokens")
    page.get_by_label("Name").fill("grafana")
    page.get_by_label("Expires after, days").fill("0")
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_role("alert").filter(has_text="must be a number")).to_be_visible()
    page.get_by_label("Expires after, days").fill("30")
    page.get_by_role("button", name="Make token").click()
    token = page.get_by_test_id("secret").inner_text()
    row = page.locator(".people li", has_text="grafana")
    expect(row).to_contain_text("Never used")
    headers = {"Authorization": f"Bearer {token}"}
    api = page.context.request
    assert api.get("/api/v1/live", headers=headers).ok
    expect(row).to_contain_text("from 127.0.0.1")
    row.get_by_role("button", name="Revoke").click()
    row.locator("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("1 revoked or expired")).to_be_visible()
    assert api.get("/api/v1/live", headers=headers).status == 401
    page.reload()
    expect(page.get_by_role("heading", name="In force")).to_be_visible()
    assert token not in page.content()
    page.context.close()


def test_it_shows_viewers_how_but_no_tokens(shop: Stage) -> None:
    page = shop.page("vera", path="/settings/api-tokens")
    expect(page.get_by_text("Admins make and revoke API tokens.")).to_be_visible()
    expect(page.get_by_role("button", name="Make token")).to_have_count(0)
    page.context.close()
