"""The page of a service: its delivery log, its settings; and from the list of deploys to the timeline."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from blametrail.deploys.delivery_log import PAGE
from tests.e2e.conftest import Stage


@pytest.fixture(scope="module")
def busy(stage: Stage) -> dict[str, Any]:
    """A service whose log fills one page and a bit of the next."""
    service = stage.server.service("busy")
    for number in range(PAGE + 5):
        stage.server.post(service["deploy_token"], {"commit_sha": f"{number:07d}"}, route="/test" if number else "")
    stage.server.post(service["deploy_token"], {"commit_sha": ""})
    return service


def rows(page: Page) -> list[str]:
    return [text.split(" · ")[0] for text in page.locator(".deliveries summary").all_inner_texts()]


def test_it_leafs_through_the_delivery_log(stage: Stage, busy: dict[str, Any]) -> None:
    page = stage.page(path=f"/services/{busy['id']}")
    log = page.locator(".deliveries li")
    expect(log).to_have_count(PAGE)
    expect(log.first).to_contain_text("Refused commit_sha")
    expect(log.nth(1)).to_contain_text(f"{PAGE + 4:07d}Checked test")
    expect(page.get_by_role("link", name="Newer")).to_have_count(0)
    newest = rows(page)
    page.get_by_role("link", name="Older").click()
    expect(log).to_have_count(6)
    expect(log.last).to_contain_text("0000000Accepted")
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.reload()
    expect(log).to_have_count(6)
    page.get_by_role("link", name="Newer").click()
    expect(log).to_have_count(PAGE)
    assert [row.split(" just")[0] for row in rows(page)] == [row.split(" just")[0] for row in newest]
    page.go_back()
    page.locator(".deliveries a", has_text="0000000").click()
    page.wait_for_url("**/deploys/*")
    assert page.faults == []  # type: ignore[attr-defined]


def test_it_says_that_settings_are_saved(stage: Stage, busy: dict[str, Any]) -> None:
    page = stage.page(path=f"/services/{busy['id']}")
    form = page.get_by_role("form", name="Service settings")
    form.get_by_label("Owner team").fill("Payments")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("status")).to_contain_text("Saved")
    form.get_by_label("Name", exact=True).fill("")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("status")).not_to_contain_text("Saved")


def test_it_leads_from_the_list_to_the_same_filters_on_a_phone(stage: Stage, busy: dict[str, Any]) -> None:
    page = stage.page(path="/deploys?env=staging&q=old", viewport={"width": 360, "height": 700})
    expect(page.get_by_role("link", name="As a timeline")).to_have_attribute("href", "/?env=staging&q=old")
    # The tab knows the filters from before when the page comes anew.
    page.goto("/deploys?service=busy&env=production")
    page.get_by_role("link", name="As a timeline").click()
    page.wait_for_url("**/?service=busy&env=production")
    expect(page.locator("tbody tr")).to_have_count(1)
