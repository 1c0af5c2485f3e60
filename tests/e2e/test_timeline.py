"""The timeline by mouse, buttons and keys; the address is its state."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage


@pytest.fixture(scope="module")
def history(stage: Stage) -> Stage:
    """Two services: a dense minute, a rollback, and lone deploys."""
    noon = datetime.now(UTC) - timedelta(hours=6)
    shop, mail = (stage.server.service(name)["deploy_token"] for name in ("shop", "mail"))
    for minute in range(12):
        post(stage, shop, f"aaa{minute:04d}", noon + timedelta(seconds=20 * minute), f"Dense {minute}")
    post(stage, mail, "b1", noon, "Send mails")
    post(stage, mail, "b2", noon + timedelta(hours=2), "Send better mails", environment="staging")
    post(stage, mail, "b3", noon + timedelta(hours=2, minutes=30), "Send best mails")
    post(stage, mail, "b1", noon + timedelta(hours=4), "Send mails")
    return stage


def post(stage: Stage, token: str, sha: str, at: datetime, message: str, **more: str) -> None:
    body = {"commit_sha": sha, "commit_message": message, "deployed_at": at.isoformat(), "branch": "main", "deployed_by": "ann"}
    assert stage.server.post(token, body | more).status_code == 200


@pytest.fixture
def page(history: Stage) -> Iterator[Page]:
    page = history.page(path="/?service=shop~mail")
    page.locator(".tl-mark").first.wait_for()
    yield page
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def width(page: Page) -> int:
    box = page.locator(".tl")
    return int(box.get_attribute("data-end") or 0) - int(box.get_attribute("data-start") or 0)


def settled(page: Page, part: str = "from=") -> None:
    page.wait_for_url(lambda url: part in url)
    page.wait_for_timeout(250)


def test_it_marks_rollbacks_and_clusters(page: Page) -> None:
    expect(page.locator("a.tl-mark.rollback")).to_have_count(1)
    expect(page.get_by_role("button", name="12 shop deploys: zoom in")).to_be_visible()


def test_it_splits_a_cluster(page: Page) -> None:
    page.get_by_role("button", name="12 shop deploys: zoom in").click()
    settled(page)
    assert page.locator("a.tl-mark").count() >= 6


def test_it_zooms_and_pans_by_buttons(page: Page) -> None:
    before = width(page)
    page.get_by_role("button", name="Zoom in", exact=True).click()
    settled(page)
    assert width(page) == pytest.approx(before / 2, rel=0.01)
    start = page.locator(".tl").get_attribute("data-start")
    page.get_by_role("button", name="Earlier").click()
    page.wait_for_timeout(600)
    assert int(page.locator(".tl").get_attribute("data-start") or 0) < int(start or 0)


def test_it_zooms_and_pans_by_keys(page: Page) -> None:
    before = width(page)
    page.locator(".tl").focus()
    page.keyboard.press("+")
    settled(page)
    assert width(page) < before
    start = page.locator(".tl").get_attribute("data-start")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)
    assert int(page.locator(".tl").get_attribute("data-start") or 0) > int(start or 0)


def test_it_zooms_by_wheel_and_pans_by_drag(page: Page) -> None:
    before = width(page)
    box = page.locator(".tl-track").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 5)
    page.mouse.wheel(0, -300)
    settled(page)
    assert width(page) < before
    start = int(page.locator(".tl").get_attribute("data-start") or 0)
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 3, steps=5)
    page.mouse.up()
    page.wait_for_timeout(700)
    assert int(page.locator(".tl").get_attribute("data-start") or 0) < start


def test_it_keeps_its_state_in_the_address(page: Page, history: Stage) -> None:
    page.get_by_role("button", name="7 d").click()
    settled(page, "range=7d")
    page.get_by_role("button", name="By environment").click()
    settled(page, "group=environment")
    expect(page.locator(".tl-label", has_text="staging")).to_be_visible()
    again = history.page(path=page.url.removeprefix(history.server.url))
    expect(again.locator(".tl-label", has_text="staging")).to_be_visible()
    expect(again.get_by_role("button", name="7 d")).to_have_attribute("aria-pressed", "true")
    again.context.close()
    page.go_back()
    expect(page.locator(".tl-label", has_text="shop")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("button", name="24 h")).to_have_attribute("aria-pressed", "true")


def test_it_filters_by_lane_name_and_chip(page: Page) -> None:
    page.locator(".tl-label", has_text="mail").click()
    expect(page.locator(".tl-label", has_text="shop")).to_have_count(0)
    page.get_by_role("button", name="Drop the filter Service: mail").click()
    expect(page.locator(".tl-label", has_text="shop")).to_be_visible()


def test_it_finds_by_text_and_says_what_to_drop(page: Page) -> None:
    page.get_by_label("Search message, version or commit").fill("no such words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No deploys in this window")).to_be_visible()
    expect(page.get_by_text("Filters are in force")).to_be_visible()
    page.get_by_role("button", name="Drop the filter Text: no such words").click()
    expect(page.locator(".tl-mark").first).to_be_visible()


def test_it_takes_a_typed_range(page: Page) -> None:
    page.locator(".dropdown summary", has_text="Custom").click()
    page.get_by_label("From", exact=True).fill("2020-01-01T00:00")
    page.get_by_label("To", exact=True).fill("2020-01-02T00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("The last deploy was")).to_be_visible()
    page.get_by_role("button", name="Show it").click()
    expect(page.locator(".tl-mark").first).to_be_visible()


def test_it_shows_the_same_card_on_hover_and_focus(page: Page) -> None:
    mark = page.locator("a.tl-mark.rollback")
    mark.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("UTC")
    shown = page.get_by_role("tooltip").inner_text()
    assert "Rollback" in shown and "mail" in shown
    page.mouse.move(5, 5)
    expect(page.get_by_role("tooltip")).to_have_count(0)
    mark.focus()
    expect(page.get_by_role("tooltip")).to_have_text(shown, use_inner_text=True)


def test_it_opens_a_deploy_and_says_what_it_went_back_to(page: Page) -> None:
    page.locator("a.tl-mark.rollback").click()
    expect(page.get_by_text("Went back to")).to_be_visible()
    expect(page.get_by_role("navigation", name="Deploys around this one")).to_contain_text("Send best mails")
    page.go_back()
    expect(page.locator(".tl-mark").first).to_be_visible()


def test_it_becomes_a_list_on_a_phone(history: Stage) -> None:
    page = history.page(path="/?service=mail", viewport={"width": 360, "height": 740})
    expect(page.get_by_role("link", name="Send best mails")).to_be_visible()
    expect(page.locator(".tl")).to_be_hidden()
    page.context.close()
