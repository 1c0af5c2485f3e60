"""The pictures of the README: a small shop's fortnight on a real server, in light and dark."""

from __future__ import annotations

import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

from tests.e2e.conftest import FLAGS
from tests.running import PASSWORD, ROOT, Server, chromium, running

PICTURES = ROOT / "docs/pictures"
CHANGES = [
    "Retry payments when the gateway times out",
    "Show delivery dates in the basket",
    "Cache product pictures for a day",
    "Raise the pool of database connections to 40",
    "Send invoices from a queue",
    "Round prices after tax, not before",
    "Drop the unused column orders.legacy_state",
    "Move sign-in to the new session store",
    "Compress answers of the search",
    "Log slow queries",
    "Let customers change their address after ordering",
    "Update the tax table for January",
]
PEOPLE = ["Ana", "Bilal", "Chiara", "Dmitri", "Efua"]


def fill(server: Server) -> dict[str, str]:
    """Three services, two environments, a rollback now and then; answers ids for the pages."""
    dice, end = random.Random(11), datetime.now(UTC)
    made = {name: server.service(name, repository=f"acme/{name}", owner_team=team) for name, team in
            (("checkout", "Payments"), ("search", "Discovery"), ("mailer", "Growth"))}  # fmt: skip
    last = ""
    for _name, service in made.items():
        at, number, live = end - timedelta(days=9), 0, ""
        while (at := at + timedelta(hours=dice.expovariate(1 / 9))) < end - timedelta(minutes=5):
            number += 1
            sha, person, message = f"{dice.getrandbits(160):040x}", dice.choice(PEOPLE), dice.choice(CHANGES)
            body = {
                "commit_sha": sha,
                "commit_message": f"{message}\n\nReviewed by {dice.choice(PEOPLE)}.",
                "deployed_by": person,
            }
            body |= {"version": f"v2.{number}.0", "branch": "main"}
            commits = [{"sha": sha, "message": message, "author": person, "timestamp": (at - timedelta(hours=2)).isoformat()}]
            commits += [
                {"sha": f"{dice.getrandbits(160):040x}", "message": m, "author": dice.choice(PEOPLE)}
                for m in dice.sample(CHANGES, 2)
            ]
            for environment, moment in (("staging", at - timedelta(minutes=40)), ("production", at)):
                answer = server.post(
                    service["deploy_token"],
                    {**body, "environment": environment, "deployed_at": moment.isoformat(), "commits": commits},
                )
            last = answer.json()["deploy_id"]
            if live and dice.random() < 0.14:
                back = {"commit_sha": live, "commit_message": "Back to what worked", "deployed_by": person, "branch": "main"}
                answer = server.post(service["deploy_token"], {**back, "deployed_at": (at + timedelta(minutes=25)).isoformat()})
            live = sha
    return {"service": str(made["checkout"]["id"]), "deploy": last}


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for scheme in ("light", "dark"):
            with running(Path(folder) / scheme) as server:
                context = browser.new_context(
                    base_url=server.url,
                    color_scheme=scheme,
                    viewport={"width": 1280, "height": 800},
                    timezone_id="Europe/Berlin",
                )
                shoot(context, "/setup", f"setup-{scheme}", ".door-card")
                server.found()
                ids = fill(server)
                page = context.new_page()
                page.goto("/login")
                page.get_by_label("E-mail").fill("alice@example.com")
                page.get_by_label("Password").fill(PASSWORD)
                page.get_by_role("button", name="Sign in").click()
                page.locator("main .page-head").wait_for()
                shoot(context, "/?range=7d", f"timeline-{scheme}", ".tl-mark", hover="a.tl-mark >> nth=2")
                shoot(context, "/deploys", f"deploys-{scheme}", "table.deploys")
                shoot(context, f"/deploys/{ids['deploy']}", f"deploy-{scheme}", ".facts")
                shoot(context, f"/services/{ids['service']}", f"service-{scheme}", ".service-page")
                context.close()
        browser.close()


def shoot(context: BrowserContext, path: str, name: str, wait_for: str, hover: str = "") -> None:
    page = context.new_page()
    page.goto(path)
    page.locator(wait_for).first.wait_for()
    page.wait_for_timeout(600)
    if hover and page.locator(hover.partition(" >>")[0]).count() > 2:
        page.locator(hover).hover()
        page.wait_for_timeout(200)
    page.screenshot(path=PICTURES / f"{name}.png")
    page.close()


if __name__ == "__main__":
    main()
