"""From an empty server to the first deploy, as its owner lives it."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import watched
from tests.running import PASSWORD, running


def test_it_leads_from_set_up_to_the_first_deploy(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        context = browser.new_context(base_url=server.url, permissions=["clipboard-read", "clipboard-write"])
        page = watched(context.new_page())
        frames: list[str] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(str(data))))
        page.goto("/services")
        page.get_by_label("Organization").fill("Acme")
        page.get_by_label("E-mail").fill("alice@")
        page.get_by_label("Password").fill("short")
        page.get_by_role("button", name="Create organization").click()
        expect(page.get_by_text("This must be an e-mail address.")).to_be_visible()
        expect(page.get_by_label("Organization")).to_have_value("Acme")
        page.get_by_label("E-mail").fill("alice@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create organization").click()

        page.get_by_label("Name", exact=True).fill("checkout")
        page.get_by_role("button", name="Create service").click()
        token = page.get_by_test_id("secret").inner_text()
        assert token.startswith("dpl_") and len(token) >= 36
        expect(page.get_by_text("Listening for the first deploy")).to_be_visible()
        server.post(token, {"commit_sha": "abc1234", "commit_message": 'Say "hi" to <b>everybody</b>', "version": "v1.4.2"})
        expect(page.get_by_role("link", name='Say "hi" to <b>everybody</b>')).to_be_visible()

        page.get_by_role("link", name="Timeline").click()
        expect(page.locator("a.tl-mark")).to_have_count(1)
        page.goto("/services")
        page.get_by_role("link", name="checkout").click()
        expect(page.get_by_role("heading", name="checkout")).to_be_visible()
        expect(page.get_by_test_id("secret")).to_have_count(0)

        page.get_by_text("Rotate the token").click()
        page.get_by_role("button", name="Rotate now").click()
        expect(page.get_by_test_id("secret")).to_be_visible()
        assert server.post(token).status_code == 401
        assert server.post(page.get_by_test_id("secret").inner_text()).status_code == 200
        expect(page.locator(".deliveries li")).to_have_count(3)
        assert page.faults == []  # type: ignore[attr-defined]
        kept = "".join(frames) + json.dumps(page.content())
        context.close()
        assert frames and token not in kept and PASSWORD not in kept


def test_it_asks_to_sign_in_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        page = watched(browser.new_context(base_url=server.url).new_page())
        page.goto("/deploys?env=staging")
        page.get_by_label("E-mail").fill("alice@example.com")
        page.get_by_label("Password").fill("wrong password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("The e-mail address or the password is wrong.")).to_be_visible()
        expect(page.get_by_label("E-mail")).to_have_value("alice@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Deploys", exact=True)).to_be_visible()
        assert page.url.endswith("/deploys?env=staging") or page.url.endswith("/deploys/?env=staging")
        page.locator(".person-menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/login**")
        page.goto("/")
        page.wait_for_url("**/login**")
        page.context.close()
