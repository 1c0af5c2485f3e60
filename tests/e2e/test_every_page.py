"""What holds for every page: accessible, safe with hostile text, usable at 360 px, by keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from blametrail.catalog.repositories import RepositoryLink
from blametrail.codehosts.connections import note_check
from blametrail.codehosts.facts import (
    CommitFact,
    FileFact,
    FileStatus,
    PullRequestFact,
    PullRequestState,
    Relation,
    TokenFact,
)
from blametrail.codehosts.host import BadAnswer
from blametrail.deploys.enrichment.gather import Difference, Origins
from blametrail.deploys.enrichment.store import Found, store_found
from blametrail.incidents.act import add_note
from blametrail.incidents.alerts.tables import AlertDelivery, AlertRoute, AlertSource, AlertState
from blametrail.incidents.monitors.tables import MaintenanceWindow, Monitor
from blametrail.incidents.open import open_incident
from blametrail.incidents.reports import Onset, Report, Symptom
from blametrail.incidents.states import IncidentType, Severity
from blametrail.kit.clock import now
from blametrail.kit.db import ScopedSession
from blametrail.kit.job_tables import JobRow
from blametrail.kit.jobs import announce_job
from tests.cast import cookie_of
from tests.cast import opened as opened_database
from tests.e2e.conftest import Stage
from tests.running import ROOT

AXE = ROOT / ".tools/node_modules/axe-core/axe.min.js"
TRAP = "window.pwned=1"
HOSTILE = [
    f"<script>{TRAP}</script>",
    f'"><img src=x onerror="{TRAP}">',
    f"<iframe srcdoc='<script>parent.{TRAP}</script>'></iframe>",
    f"javascript:{TRAP}",
    f"[x](javascript:{TRAP})",
    f"{{{{constructor.constructor('{TRAP}')()}}}}",
    f"<svg/onload={TRAP}>",
    "\u202egnp.exe",
    "a" * 3000,
    "${7*7}`{{7*7}}`<%= 7*7 %>",
    "</textarea></title></style><script>" + TRAP + "</script>",
    "🙂" * 200,
]


@pytest.fixture(scope="module")
def hostile(stage: Stage) -> Iterator[dict[str, str]]:
    """Addresses of every page, with hostile text in each place that comes from outside."""
    service = stage.server.service("hostile")
    deploy = ""
    for number, text in enumerate(HOSTILE):
        body = dict.fromkeys(("commit_message", "branch", "deployed_by", "version", "description"), text)
        body |= {"commit_sha": text[:255], "environment": text[:60], "url": f"javascript:{TRAP}"}
        commits = [{"sha": text[:255], "message": text + "\n\n" + text, "author": text}]
        answer = stage.server.post(service["deploy_token"], {**body, "commits": commits}, key=str(number))
        assert answer.status_code == 200, answer.text
        deploy = answer.json()["deploy_id"]
    stage.server.post(service["deploy_token"], {"commit_sha": 1, "commit_message": HOSTILE[0]})
    with opened_database(stage.server) as db:
        acme = UUID(stage.cast.organization_id)
        db.write_now(acme, plant, UUID(deploy), UUID(stage.cast.connection_id))
        incident = db.write_now(acme, break_it, UUID(service["id"]))
        db.write_now(acme, watch_it, UUID(service["id"]))
        db.write_now(acme, alert_it, UUID(service["id"]))
    events = [event_of(stage, service["deploy_token"], number, text) for number, text in enumerate(HOSTILE)]
    event = events[0]
    yield {
        "timeline": "/",
        "by environment": "/?group=environment",
        "empty": "/?q=" + "x" * 50,
        "deploys": "/deploys",
        "deploy": f"/deploys/{deploy}",
        "incidents": "/incidents",
        "new incident": "/incidents/new",
        "incident": f"/incidents/{incident}",
        "missing incident": "/incidents/00000000-0000-0000-0000-000000000000",
        "monitors": "/monitors",
        "new monitor": "/monitors?new=1",
        "services": "/services",
        "service": f"/services/{service['id']}",
        "new service": "/services/new",
        "people": "/settings",
        "organization": "/settings/organization",
        "api tokens": "/settings/api-tokens",
        "changes": "/changes",
        "change events": "/changes/events",
        "change event": f"/changes/events?event={event}",
        "webhooks": "/settings/webhooks",
        "alerts": "/settings/alerts",
        "code hosts": "/settings/code-hosts",
        "jobs": "/settings/jobs",
        "what changed": "/changes/between",
        "nothing changed": "/changes/between?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z",
        "what was live": "/changes/between?at=now",
        "account": "/account",
        "missing deploy": "/deploys/00000000-0000-0000-0000-000000000000",
    }


def break_it(session: ScopedSession, service_id: UUID) -> UUID:
    """Incidents with hostile text in every place; answers the last."""
    moment = now()
    for text in HOSTILE:
        trace = f'Traceback (most recent call last):\n  File "{text}", line 1, in {text}\n{text}Error: {text}'
        symptom = Symptom(error_message=text, stack_trace=trace, log_excerpt=text, endpoint=text)
        onset = Onset(moment, moment, moment, text)
        incident_id = open_incident(
            session,
            Report(
                type=IncidentType.MANUAL,
                severity=Severity.CRITICAL,
                title=text,
                onset=onset,
                detected_at=moment,
                who=text,
                description=text,
                symptom=symptom,
                service_ids=(service_id,),
                environments=(text[:60],),
            ),
        )
    for text in HOSTILE:
        add_note(session, incident_id, text, text)
    return incident_id


def event_of(stage: Stage, token: str, number: int, text: str) -> str:
    """A change event of hostile text, each at a time of its own; answers its id."""
    body = {
        "kind": "config",
        "title": text[:300],
        "description": text,
        "started_at": (now() - timedelta(hours=number)).isoformat(),
        "who": text[:300],
        "url": f"javascript:{TRAP}",
        "labels": {text[:100]: text[:1000]},
        "reverts": text[:300],
        "environments": [text[:60].strip()],
    }
    answer = httpx.post(f"{stage.server.url}/api/ingest/change", json=body, headers={"X-Deploy-Token": token})
    assert answer.status_code == 200, answer.text
    told: str = answer.json()["change_event_id"]
    return told


def plant(session: ScopedSession, deploy_id: UUID, connection_id: UUID) -> None:
    """Hostile text from a code host, in each place that it may fill, and a job that failed with it."""
    moment = now()
    commits = tuple(
        CommitFact(f"{n:040x}", f"{text}\n\n{text}", text, text, moment, moment, (), "https://example.com/c")
        for n, text in enumerate(HOSTILE)
    )
    files = tuple(
        FileFact(f"{n}/{text}", FileStatus.RENAMED, 1, 1, text, f"@@ -1 +1 @@\n-{text}\n+{text}")
        for n, text in enumerate(HOSTILE)
    )
    pulls = {
        n: PullRequestFact(
            n,
            text,
            text,
            text,
            (text[:200],),
            PullRequestState.MERGED,
            "https://example.com/p",
            text,
            text,
            "",
            "",
            moment,
            moment,
            moment,
        )
        for n, text in enumerate(HOSTILE)
    }
    found = Found(
        "partial",
        HOSTILE[0],
        HOSTILE[1],
        link=RepositoryLink("https://example.com", "acme/shop"),
        difference=Difference(Relation.AHEAD, commits, commits[:2], len(commits), files, False),
        origins=Origins({commit.sha: n for n, commit in enumerate(commits)}, pulls),
    )
    store_found(session, deploy_id, found, "0" * 40, None)
    note_check(session, connection_id, TokenFact(HOSTILE[0], tuple(HOSTILE), True, True, moment))
    note_check(session, connection_id, BadAnswer(HOSTILE[1], HOSTILE[2]))
    announce_job(session, "hostile", HOSTILE[0])
    session.exec(select(JobRow).where(JobRow.kind == "hostile")).one().park(HOSTILE[1])


def alert_it(session: ScopedSession, service_id: UUID) -> None:
    """Alert sources, mappings, messages and unmapped alerts with hostile text in every place."""
    for number, text in enumerate(HOSTILE):
        source = AlertSource(kind="sentry", name=text, token_hash=f"hostile {number}", token_start=text[:8])
        source.created_by = source.used_from = source.environment = text
        session.add(source)
        session.flush()
        session.add(AlertRoute(matchers=text, service_id=service_id, environment=text))
        session.add(AlertDelivery(source_id=source.id, payload=text, result="unreadable", reason=text, address=text))
        state = AlertState(source_id=source.id, fingerprint="x", status="firing", severity=text, title=text, url=text)
        state.labels = json.dumps({text: text})
        session.add(state)


def watch_it(session: ScopedSession, service_id: UUID) -> None:
    """Monitors and a window with hostile text in every place; they are paused."""
    moment = now()
    recent = " ".join(["u120", "s2400", "d"] * 12)
    for text in HOSTILE:
        session.add(
            Monitor(
                service_id=service_id,
                environment=text[:60],
                name=text,
                url=text,
                header_names=text,
                reason=text,
                health="down",
                recent=recent,
                checked_at=moment,
            )
        )
        session.add(MaintenanceWindow(starts_at=moment, ends_at=moment + timedelta(hours=1), note=text, created_by=text))


PAGES = (
    "timeline", "by environment", "empty", "deploys", "deploy", "services", "service", "new service", "people", "organization",
    "account", "missing deploy", "api tokens", "what changed", "nothing changed", "what was live", "code hosts",
    "jobs", "changes", "change events", "change event", "webhooks", "alerts", "monitors", "new monitor",
)  # fmt: skip


def opened(stage: Stage, path: str, **options: Any) -> Page:
    page = stage.page(path=path, **options)
    page.locator(".skeleton").wait_for(state="detached")
    page.wait_for_timeout(300)
    return page


def faults(page: Page) -> list[str]:
    """Serious and critical findings of axe."""
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']}: {[n['html'][:150] for n in v['nodes'][:3]]}"
        for v in found["violations"]
        if v["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible(stage: Stage, hostile: dict[str, str], name: str, scheme: str) -> None:
    page = opened(stage, hostile[name], color_scheme=scheme, bypass_csp=True)
    page.add_script_tag(path=str(AXE))
    assert faults(page) == []
    page.context.close()


@pytest.mark.parametrize("path", ["/login", "/join", "/no/such/page"])
def test_its_doors_are_accessible(stage: Stage, path: str) -> None:
    page = stage.page("nobody", path=path, bypass_csp=True)
    page.add_script_tag(path=str(AXE))
    assert faults(page) == []
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_it_runs_no_hostile_text(stage: Stage, hostile: dict[str, str], name: str) -> None:
    page = opened(stage, hostile[name])
    for details in page.locator("main details").all()[:20]:
        details.evaluate("d => d.open = true")
    page.wait_for_timeout(200)
    assert page.evaluate("window.pwned") is None
    assert page.locator("main iframe, main img, main script, main a[href^='javascript:'], main a[href^='data:']").count() == 0
    assert page.faults == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_a_phone(stage: Stage, hostile: dict[str, str], name: str) -> None:
    page = opened(stage, hostile[name], viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.context.close()


def test_it_goes_anywhere_by_keyboard(stage: Stage) -> None:
    page = opened(stage, "/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Services", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("c0ffee")
    option = page.get_by_role("option").filter(has_text="canary-of-acme message")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="canary-of-acme message")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.context.close()


def test_it_remembers_the_theme(stage: Stage) -> None:
    page = opened(stage, "/", color_scheme="light")
    page.locator(".person-menu summary").click()
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_class("dark")
    page.reload()
    expect(page.locator("html")).to_have_class("dark")
    page.context.close()


def test_it_shows_viewers_no_admin_controls(stage: Stage) -> None:
    page = stage.page("vera", path=f"/services/{stage.cast.service_id}")
    expect(page.get_by_role("heading", name="Latest deploys")).to_be_visible()
    expect(page.get_by_text("Rotate the token")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete service")).to_have_count(0)
    page.context.close()


def test_it_invites_and_removes(stage: Stage) -> None:
    alice = opened(stage, "/settings")
    alice.get_by_label("E-mail").fill("erin@example.com")
    alice.get_by_role("button", name="Invite").click()
    link = alice.get_by_test_id("secret").inner_text()
    erin = stage.page("nobody", path=link.replace("http://127.0.0.1:8000", ""))
    expect(erin.get_by_text("You are invited to")).to_contain_text("erin@example.com")
    erin.get_by_label("Your name").fill("Erin")
    erin.get_by_label("Password").fill("erin has a password")
    erin.get_by_role("button", name="Join").click()
    expect(erin.get_by_role("heading", name="Timeline")).to_be_visible()
    row = alice.locator(".people li", has_text="erin@example.com")
    row.get_by_role("button", name="Remove", exact=True).click()
    row.locator("dialog").get_by_role("button", name="Remove").click()
    expect(alice.locator(".people li", has_text="erin@example.com")).to_have_count(0)
    erin.get_by_role("button", name="7 d").click()
    erin.wait_for_url("**/login**")
    again = stage.page("nobody", path=link.removeprefix(stage.server.url))
    expect(again.get_by_text("This invitation has been used")).to_be_visible()
    for page in (alice, erin, again):
        page.context.close()


def test_it_ends_a_session_from_the_account_page(stage: Stage) -> None:
    cookie_of(stage.server, "bob@example.com")
    page = stage.page("bob", path="/account")
    others = page.get_by_role("button", name="End", exact=True)
    expect(others.first).to_be_visible()
    count = others.count()
    others.first.click()
    expect(page.get_by_text("That session has ended.")).to_be_visible()
    expect(others).to_have_count(count - 1)
    page.context.close()
