"""A deploy shows in every open browser of its organization, in no other's, and moves nothing that is read."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import expect

from tests.e2e.conftest import Stage

BROWSERS, DEPLOYS = 10, 200


def test_it_shows_every_deploy_in_every_browser(stage: Stage) -> None:
    service = stage.server.service("bustling")
    pages = [stage.page(path="/?service=bustling") for _ in range(BROWSERS)]
    charlie = stage.page("charlie")
    first = stage.server.post(service["deploy_token"], {"commit_sha": "first000"})
    for page in pages:
        expect(page.locator(f"[data-deploy='{first.json()['deploy_id']}']")).to_be_visible()

    def post(number: int) -> int:
        return stage.server.post(service["deploy_token"], {"commit_sha": f"{number:07d}"}, key=str(number)).status_code

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(post, range(DEPLOYS))) == {200}
    for page in pages:
        expect(page.get_by_role("link", name=f"All {DEPLOYS + 1} as a list")).to_be_visible()
        assert page.faults == []  # type: ignore[attr-defined]
    assert "bustling" not in charlie.content()
    expect(charlie.get_by_text("Nothing is deployed here yet")).to_be_visible()
    for page in (*pages, charlie):
        page.context.close()


def test_it_does_not_move_a_list_that_is_read(stage: Stage) -> None:
    service = stage.server.service("scrolled")
    for number in range(40):
        stage.server.post(service["deploy_token"], {"commit_sha": f"{number:07d}", "commit_message": f"Change {number}"})
    page = stage.page(path="/deploys?service=scrolled", viewport={"width": 1000, "height": 600})
    row = page.get_by_role("link", name="Change 10", exact=True)
    row.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    before = row.bounding_box()
    for number in range(3):
        stage.server.post(service["deploy_token"], {"commit_sha": f"new{number}", "commit_message": f"Newer {number}"})
    pill = page.get_by_role("link", name="3 new")
    expect(pill).to_be_visible()
    assert row.bounding_box() == before
    pill.click()
    expect(page.get_by_role("link", name="Newer 2")).to_be_visible()
    page.context.close()


def test_it_does_not_move_a_timeline_that_is_read(stage: Stage) -> None:
    service = stage.server.service("watched")
    stage.server.post(service["deploy_token"], {"commit_sha": "one"})
    page = stage.page(path="/?service=watched")
    mark = page.locator("a.tl-mark").first
    mark.hover()
    before, window = mark.bounding_box(), page.locator(".tl").get_attribute("data-start")
    stage.server.post(service["deploy_token"], {"commit_sha": "two", "deployed_at": "2020-01-01T00:00:00Z"})
    stage.server.post(service["deploy_token"], {"commit_sha": "three"})
    expect(page.get_by_role("link", name="All 2 as a list")).to_be_visible()
    assert page.locator(".tl").get_attribute("data-start") == window
    assert before is not None
    page.context.close()


def test_it_recovers_when_the_server_comes_back(stage: Stage) -> None:
    page = stage.page(path="/deploys")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    stage.server.kill()
    expect(page.get_by_text("Reconnecting…")).to_be_visible(timeout=10_000)
    stage.server.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=20_000)
    service = stage.server.service("returned")
    stage.server.post(service["deploy_token"], {"commit_sha": "abc", "commit_message": "After the restart"})
    expect(page.get_by_role("link", name="After the restart")).to_be_visible(timeout=10_000)
    page.context.close()
