"""What a browser feels: bytes to load, time to paint, time from a post to seeing it."""

from __future__ import annotations

import gzip
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright
from sqlmodel import select

from blametrail.accounts.tables import Organization
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.bench.load import quantile
from tests.bench.report import Report
from tests.bench.timeline import DAYS, DEPLOYS, fill
from tests.cast import cookie_of, opened
from tests.e2e.conftest import FLAGS
from tests.running import Server, chromium, running

BROWSERS, POSTS = 10, 200
CLICKS = 40
RATES = (5, 10)
"""Posts a second; at ten, drawing ten pages at once takes more than two cores have."""

# Notes, on the page's own clock, when each mark or row of a deploy first stands in the page.
WATCH = """() => {
  window.seen = {};
  const look = () => document.querySelectorAll('[data-row]').forEach(r => { window.seen[r.dataset.row] ??= Date.now(); });
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, attributes: true});
  look();
}"""


def bench(report: Report) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as server:
            server.found()
            _live(report, browser, server)
            with opened(server) as db:
                fill(db, db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id)).one()))
            _load_and_paint(report, browser, server)
        browser.close()


def _page(browser: Browser, server: Server, path: str) -> Page:
    context = browser.new_context(base_url=server.url)
    name, _, value = cookie_of(server, "alice@example.com").partition("=")
    context.add_cookies([{"name": name, "value": value, "url": server.url}])
    page = context.new_page()
    page.goto(path)
    return page


def _live(report: Report, browser: Browser, server: Server) -> None:
    token = server.service("busy")["deploy_token"]
    server.post(token, {"commit_sha": "first"})
    pages = [_page(browser, server, "/?service=busy&range=1h") for _ in range(BROWSERS)]
    for page in pages:
        page.locator("[data-row]").first.wait_for()
        page.evaluate(WATCH)
    for rate in RATES:
        time.sleep(3)  # whatever the pages still do after loading, or after the last posts
        waits = _waits(server, token, pages, rate)
        told = f"post to seen, {BROWSERS} browsers, {rate} posts a second"
        report.line(f"{told}, median", quantile(waits, 0.5), "ms", at_most=150)
        report.line(f"{told}, p95", quantile(waits, 0.95), "ms", at_most=500)
    for page in pages:
        page.context.close()


def _waits(server: Server, token: str, pages: list[Page], rate: int) -> list[float]:
    """Milliseconds from each post until each page shows it."""
    sent: dict[str, float] = {}
    with httpx.Client(base_url=server.url, headers={"X-Deploy-Token": token}) as client:
        for number in range(POSTS):
            began = time.time() * 1e3
            answer = client.post("/api/ingest/deploy", json={"commit_sha": f"{rate}x{number:07d}"})
            sent[answer.json()["deploy_id"]] = began
            time.sleep(max(0.0, began / 1e3 + 1 / rate - time.time()))
    time.sleep(2)
    return [page.evaluate("window.seen").get(id_, began + 60_000) - began for page in pages for id_, began in sent.items()]


def _load_and_paint(report: Report, browser: Browser, server: Server) -> None:
    page = _page(browser, server, "/")
    page.locator(".tl-mark").first.wait_for()
    scripts = page.evaluate("performance.getEntriesByType('resource').map(r => r.name).filter(n => n.endsWith('.js'))")
    sizes = [len(gzip.compress(page.request.get(name).body(), 9)) for name in scripts]
    report.line("JavaScript of the first page, gzipped", sum(sizes) / 1024, "kB", at_most=350)
    took = []
    for _ in range(CLICKS // 2):
        for name in ("7 d", "30 d"):
            marks = page.evaluate("document.querySelector('.tl').dataset.start")
            began = time.perf_counter()
            page.get_by_role("button", name=name, exact=True).click()
            page.wait_for_function("before => document.querySelector('.tl').dataset.start !== before", arg=marks)
            took.append(time.perf_counter() - began)
    report.line(
        f"timeline of {DEPLOYS:,} over {DAYS} days, click to painted, p95", quantile(took, 0.95) * 1e3, "ms", at_most=300
    )
    page.context.close()
