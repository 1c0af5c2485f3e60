"""An incident from its opening to its end, in the browsers of two people."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

from playwright.sync_api import Page, expect

from blametrail.incidents.open import open_or_absorb
from blametrail.incidents.reports import Onset, Report
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from tests.cast import CANARY, opened
from tests.e2e.conftest import Stage
from tests.incidents.test_symptom import PYTHON


def open_by_hand(stage: Stage, title: str) -> Page:
    page = stage.page("bob", path="/incidents/new")
    page.get_by_label("What is broken?").fill(title)
    page.get_by_label("Severity").select_option("critical")
    page.get_by_label(f"{CANARY}-service").check()
    page.get_by_label("Stack trace").fill(PYTHON)
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.locator("h1")).to_contain_text(title)
    return page


def test_it_goes_from_opening_to_the_end_before_everybodys_eyes(stage: Stage) -> None:
    watching = stage.page("vera", path="/incidents")
    bob = open_by_hand(stage, "Checkout answers 500")
    row = watching.locator("[data-row]", has_text="Checkout answers 500")
    expect(row).to_contain_text("open")
    expect(row).to_contain_text("critical")
    row.get_by_role("link", name="Checkout answers 500").click()
    expect(watching.locator(".exception")).to_contain_text("payments.errors.GatewayTimeout: no answer")
    expect(watching.locator(".frame.ours").first).to_contain_text("/srv/shop/payments/retry.py:17")
    expect(watching.get_by_text(f"{CANARY} message")).to_be_visible()  # the deploy before it
    expect(watching.get_by_role("button", name="Acknowledge")).to_have_count(0)
    bob.get_by_role("button", name="Acknowledge").click()
    expect(watching.locator(".badge.is-acknowledged")).to_be_visible()
    bob.get_by_label("Add a note").fill("It is <b>the gateway</b>")
    bob.get_by_role("button", name="Add", exact=True).click()
    expect(watching.locator(".entries")).to_contain_text("bob noted: It is <b>the gateway</b>")
    expect(bob.get_by_label("Add a note")).to_have_value("")
    bob.get_by_role("button", name="Resolve").click()
    bob.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(watching.locator(".badge.is-resolved")).to_be_visible()
    bob.get_by_role("button", name="Reopen").click()
    expect(watching.locator(".badge.is-acknowledged")).to_be_visible()
    assert bob.faults == watching.faults == []  # type: ignore[attr-defined]


def test_it_keeps_input_when_something_is_missing(stage: Stage) -> None:
    page = stage.page("bob", path="/incidents/new")
    page.get_by_label("Error message").fill("no answer")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("1 to 300 characters")
    expect(page.get_by_label("Error message")).to_have_value("no answer")


def test_it_lets_a_responder_say_when_it_began(stage: Stage) -> None:
    page = open_by_hand(stage, "Late to notice")
    page.get_by_text("Correct when it began").click()
    form = page.get_by_role("form", name="When it began")
    form.get_by_label("Not before").fill("2026-01-02T10:30:00")
    form.get_by_label("Began at").fill("2026-01-02T10:00:00")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("between")
    form.get_by_label("Not before").fill("2026-01-02T09:55:00")
    form.get_by_label("Not after").fill("2026-01-02T10:05:00")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Set by bob.")).to_be_visible()
    expect(page.get_by_text("within 10 min")).to_be_visible()
    expect(page.locator(".entries")).to_contain_text("bob set when it began")


def test_it_merges_a_duplicate(stage: Stage) -> None:
    one = open_by_hand(stage, "The first of two")
    number = one.locator("h1").inner_text().split()[0]
    two = open_by_hand(stage, "The second of two")
    two.get_by_text("Merge into another incident").click()
    two.get_by_label("Number of the other").fill("9999999")
    two.get_by_role("button", name="Merge").click()
    expect(two.get_by_text("There is no incident of that number here. Nothing was merged.")).to_be_visible()
    two.get_by_label("Number of the other").fill(number)
    two.get_by_role("button", name="Merge").click()
    expect(two.locator("h1")).to_contain_text("The first of two")
    expect(two.get_by_role("table", name="Incidents that are part of this one")).to_contain_text("The second of two")


def test_it_keeps_filters_in_the_address(stage: Stage) -> None:
    open_by_hand(stage, "A needle in the list")
    page = stage.page(path="/incidents")
    page.get_by_role("searchbox").fill("needle")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    assert "q=needle" in page.url
    page.locator("summary", has_text="Severity").click()
    page.get_by_label("info", exact=True).click()
    expect(page.get_by_text("No incident fits these filters")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No incident fits these filters")).to_be_visible()
    page.get_by_role("button", name="Drop the filter Severity: info").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    page.go_back()
    expect(page.get_by_text("No incident fits these filters")).to_be_visible()


def test_it_shows_what_a_monitor_opened_at_once(stage: Stage) -> None:
    page = stage.page(path="/incidents?status=open")
    moment = now()
    onset = Onset(moment - timedelta(minutes=4), moment - timedelta(minutes=5), moment, "the checks failed from then on")
    report = Report(IncidentType.AVAILABILITY, Severity.CRITICAL, "Cart is gone", onset, moment, "monitor cart", "monitor:cart")
    with opened(stage.server) as db:
        taken = db.write_now(UUID(stage.cast.organization_id), open_or_absorb, report)
    expect(page.get_by_role("link", name="Cart is gone")).to_be_visible(timeout=8_000)
    page.goto(f"/incidents/{taken.incident_id}")
    expect(page.get_by_text("Because the checks failed from then on.")).to_be_visible()
    expect(page.get_by_text("a monitor found it unavailable")).to_be_visible()


def test_it_finds_an_incident_by_its_number(stage: Stage) -> None:
    page = open_by_hand(stage, "Found by number")
    number = page.locator("h1").inner_text().split()[0]
    page.goto("/deploys")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(number)
    page.get_by_role("option", name=f"{number} Found by number").click()
    expect(page.locator("h1")).to_contain_text("Found by number")


def test_it_says_when_there_is_no_such_incident(stage: Stage) -> None:
    for path in ("/incidents/00000000-0000-0000-0000-000000000000", "/incidents/x"):
        expect(stage.page(path=path).get_by_text("There is no such incident in this organization")).to_be_visible()
    for path in (f"/incidents/{stage.cast.incident_id}",):
        expect(stage.page("charlie", path=path).get_by_text("There is no such incident in this organization")).to_be_visible()


def test_it_shades_the_lanes_that_an_incident_touches(stage: Stage) -> None:
    page = stage.page(path="/?range=1h")
    bob = open_by_hand(stage, "Shown as a span")
    mark = page.get_by_role("link", name="Shown as a span").and_(page.locator("[data-incident]"))
    expect(mark).to_be_attached()
    lane = page.locator(".tl-lane", has=mark)
    expect(lane).to_have_attribute("aria-label", re.compile(f"{CANARY}-service"))
    expect(lane.locator(".tl-span.goes-on").first).to_be_attached()
    mark.focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Shown as a span")
    expect(page.get_by_role("table", name="Incidents in this window")).to_contain_text("Shown as a span")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Shown as a span")
    assert bob.faults == page.faults == []  # type: ignore[attr-defined]
