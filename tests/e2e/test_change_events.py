"""Change events: recorded by hand, told by programs, on the timeline with marks of their own, live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage

KINDS = ("feature_flag", "config", "infrastructure", "database", "other")


@pytest.fixture(scope="module")
def told(stage: Stage) -> Stage:
    """A service with a deploy and one event of each kind, another with three events in a minute."""
    noon = datetime.now(UTC) - timedelta(hours=6)
    tokens.update({name: stage.server.service(name)["deploy_token"] for name in ("shop", "mail")})
    assert stage.server.post(tokens["shop"], {"commit_sha": "aaa1", "deployed_at": noon.isoformat()}).status_code == 200
    for number, kind in enumerate(KINDS):
        at = noon + timedelta(hours=number)
        tell(stage, "shop", kind, f"A {kind} of shop", started_at=at.isoformat(), who="ann", labels={"flag": kind})
    for number in range(3):
        at = noon + timedelta(seconds=20 * number)
        tell(stage, "mail", "config", f"Dense {number}", started_at=at.isoformat(), environments=["staging"])
    long = {"started_at": (noon - timedelta(hours=2)).isoformat(), "ended_at": (noon + timedelta(hours=1)).isoformat()}
    tell(stage, "shop", "infrastructure", "Move the network", services=[], environments=[], **long)
    return stage


tokens: dict[str, str] = {}


def tell(stage: Stage, service: str, kind: str, title: str, **more: Any) -> str:
    body = {"kind": kind, "title": title} | more
    answer = httpx.post(f"{stage.server.url}/api/ingest/change", json=body, headers={"X-Deploy-Token": tokens[service]})
    assert answer.status_code == 200, answer.text
    told: str = answer.json()["change_event_id"]
    return told


@pytest.fixture
def page(told: Stage) -> Iterator[Page]:
    page = told.page(path="/?service=shop~mail")
    page.locator(".tl-mark.event").first.wait_for()
    yield page
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def test_it_marks_each_kind_in_the_lane_of_its_service(page: Page) -> None:
    for kind in KINDS:
        expect(page.locator(f"a.tl-mark.event.{kind}[aria-label*=' of shop ']")).to_have_count(1)
    expect(page.get_by_role("button", name="3 change events of mail: zoom in")).to_be_visible()
    everywhere = page.locator(".tl-lane").first
    expect(everywhere.locator("a.tl-mark.event")).to_have_attribute(
        "aria-label", "Infrastructure of All services: Move the network"
    )
    expect(everywhere.locator(".tl-lasts")).to_have_count(1)


def test_it_splits_a_cluster_of_change_events(page: Page) -> None:
    page.get_by_role("button", name="3 change events of mail: zoom in").click()
    page.wait_for_url(lambda url: "from=" in url)
    expect(page.locator("a.tl-mark.event[aria-label*='Dense']")).to_have_count(3)


def test_it_shows_the_same_card_on_hover_and_focus(page: Page) -> None:
    mark = page.locator("a.tl-mark.event.database")
    mark.hover()
    expect(page.get_by_role("tooltip")).to_contain_text("A database of shop")
    shown = page.get_by_role("tooltip").inner_text()
    assert "Database" in shown and "shop" in shown and "ann" in shown and "UTC" in shown
    page.mouse.move(5, 5)
    expect(page.get_by_role("tooltip")).to_have_count(0)
    mark.focus()
    expect(page.get_by_role("tooltip")).to_have_text(shown, use_inner_text=True)


def test_it_goes_from_a_deploy_to_the_next_change_event_by_keys(page: Page) -> None:
    page.locator("a.tl-mark[data-deploy]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("a.tl-mark.event:focus")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".tl-mark:focus")).to_have_count(1)


def test_it_filters_marks_and_rows_alike(page: Page, told: Stage) -> None:
    rows = page.get_by_label("Change events in this window, newest first").locator("li")
    expect(rows).to_have_count(9)
    page.locator(".tl-label", has_text="mail").click()
    expect(rows).to_have_count(4)
    expect(page.locator("a.tl-mark.event.database")).to_have_count(0)
    other = told.page(path="/?env=staging")
    expect(other.get_by_label("Change events in this window, newest first").locator("li")).to_have_count(4)
    other.goto("/?q=database")
    expect(other.locator(".tl-mark.event")).to_have_count(1)
    other.goto("/?group=environment&service=shop~mail")
    expect(other.locator(".tl-lane", has=other.locator("button.cluster.events"))).to_have_attribute(
        "aria-label", "staging: 3 change events"
    )
    other.context.close()


def test_it_opens_a_change_event_from_its_mark(page: Page) -> None:
    page.locator("a.tl-mark.event.database").click()
    expect(page.get_by_label("The change event of this address")).to_contain_text("A database of shop")
    expect(page.get_by_label("The change event of this address")).to_contain_text("flag=database")
    expect(page.get_by_label("The change event of this address")).to_contain_text("the token of shop")


def test_it_shows_a_change_event_in_open_browsers(page: Page, told: Stage) -> None:
    listed = told.page("vera", path="/changes/events")
    expect(listed.get_by_text("Move the network")).to_be_visible()
    tell(told, "shop", "config", "Told while they look")
    expect(page.locator("a.tl-mark.event[aria-label$='Told while they look']")).to_be_visible()
    expect(listed.get_by_text("Told while they look")).to_be_visible()
    expect(listed.get_by_text("Record a change event")).to_have_count(0)
    listed.context.close()


def test_it_records_and_removes_by_hand(told: Stage) -> None:
    page = told.page("bob", path="/changes/events")
    page.locator("summary", has_text="Record a change event").click()
    form = page.get_by_role("form", name="Record a change event")
    form.get_by_role("button", name="Record").click()
    expect(form.get_by_text("This must not be empty.")).to_be_visible()
    form.get_by_label("What was changed?").fill("Switched <b>the</b> load balancer")
    form.get_by_label("Kind").select_option("infrastructure")
    form.get_by_label("Began").fill("2026-01-31T14:02:00")
    form.get_by_label("Ended").fill("2026-01-31T14:01:00")
    form.get_by_role("button", name="Record").click()
    expect(form.get_by_text("This must not come before started_at.")).to_be_visible()
    expect(form.get_by_label("What was changed?")).to_have_value("Switched <b>the</b> load balancer")
    form.get_by_label("Ended").fill("")
    form.get_by_label("shop").check()
    form.get_by_label("Labels").fill("zone=eu\nteam = net")
    form.get_by_role("button", name="Record").click()
    row = page.locator(".events > li", has_text="Switched <b>the</b> load balancer")
    expect(row).to_contain_text("31 Jan")
    expect(form.get_by_label("What was changed?")).to_have_value("")
    row.locator("summary").first.click()
    expect(row).to_contain_text("zone=eu")
    expect(row).to_contain_text("bob, by hand")
    row.get_by_role("button", name="Remove").click()
    row.locator("dialog").get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


def test_it_finds_by_kind_service_and_words_and_keeps_it_in_the_address(told: Stage) -> None:
    page = told.page(path="/changes/events")
    rows = page.get_by_label("Change events, newest first").locator("> li")
    page.get_by_label("Kind", exact=True).last.select_option("database")
    page.wait_for_url("**kind=database**")
    expect(rows).to_have_count(1)
    page.get_by_label("Search change events").fill("no such words")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No change event fits")).to_be_visible()
    page.get_by_role("link", name="See all").click()
    page.get_by_label("Service", exact=True).select_option("mail")
    expect(rows).to_have_count(5)
    page.go_back()
    page.go_back()
    expect(page.get_by_label("Kind", exact=True).last).to_have_value("database")
    page.context.close()


def test_it_lists_change_events_on_a_phone(told: Stage) -> None:
    page = told.page(path="/?service=shop", viewport={"width": 360, "height": 740})
    expect(page.get_by_role("link", name="A database of shop")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()
