"""Each deploy explains itself, or says what is missing, why, and how to mend it; nothing of that loses a deploy."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlmodel import select

from blametrail.catalog import services
from blametrail.catalog.deploy_tokens import TokenHolder
from blametrail.codehosts import connections
from blametrail.codehosts.check import check_connection
from blametrail.deploys.carried import carried
from blametrail.deploys.enrichment.states import State
from blametrail.deploys.enrichment.views import ask_again, patch_of
from blametrail.deploys.tables import Deploy
from blametrail.kit.clock import now
from blametrail.kit.errors import NotFound
from blametrail.kit.job_tables import JobRow
from tests.enriching import KEYS, TOKEN, Stage, other_organization
from tests.peers.github import File, Reply
from tests.peers.gitlab import Change, FakeGitLab


async def test_it_tells_commits_pull_requests_and_files(stage: Stage) -> None:
    base = stage.shop.commit("Start")
    squashed = stage.shop.merge("Ask for more at once", File("app/db.py", additions=4, deletions=2), labels=("speed",))
    merged = stage.shop.merge("Add a column", File("migrations/7.sql", "added", 9, 0), how="merge", author="grace")
    rebased = stage.shop.merge("Use the cache", File("config/cache.yaml"), File("package-lock.json"), how="rebase")
    stage.deploy(base)
    await stage.work()
    before = len(stage.github.requests)
    view = await stage.enriched(stage.shop.branches["main"])
    assert (view.state, view.reasons, view.relation) == (State.COMPLETE, (), "ahead")
    assert {p.number: (p.title, p.author) for p in view.pull_requests} == {
        squashed: ("Ask for more at once", "ada"),
        merged: ("Add a column", "grace"),
        rebased: ("Use the cache", "ada"),
    }
    assert next(p for p in view.pull_requests if p.number == squashed).labels == ("speed",)
    assert [c.pull_request for c in view.commits] == [rebased, merged, merged, squashed]
    assert [g.category for g in view.groups] == ["database", "application logic", "configuration", "dependencies"]
    assert view.compare_url == f"{stage.github.url}/acme/shop/compare/{base}...{stage.shop.branches['main']}"
    asked = [r.path for r in stage.github.requests[before:]]
    assert len(asked) <= 4 + 2, asked


async def test_it_gives_a_patch_when_asked(stage: Stage) -> None:
    base = stage.shop.commit("Start")
    stage.deploy(base)
    stage.shop.commit("Change", File("app/db.py", patch="@@ -1 +1 @@\n-old\n+new"), File("logo.png", patch=None))
    deploy_id = stage.deploy(stage.shop.branches["main"])
    await stage.work()

    def read(position: int) -> str:
        return stage.db.read_now(stage.owner.organization_id, patch_of, deploy_id, position)

    files = {f.path: f for g in stage.view(deploy_id).groups for f in g.files}
    assert read(files["app/db.py"].position) == "@@ -1 +1 @@\n-old\n+new"
    assert not files["logo.png"].has_patch
    with pytest.raises(NotFound):
        read(files["logo.png"].position)
    with pytest.raises(NotFound):
        stage.db.read_now(other_organization(stage), patch_of, deploy_id, 0)


async def test_a_first_deploy_shows_its_own_commit_and_says_so(stage: Stage) -> None:
    stage.shop.commit("Start")
    view = await stage.enriched(stage.shop.commit("Second", File("app/a.py")))
    assert view.state == State.PARTIAL and "first deploy" in view.reasons[0]
    assert [c.message for c in view.commits] == ["Second"] and view.groups[0].files[0].path == "app/a.py"


async def test_the_same_commit_again_changes_nothing_and_asks_nothing(stage: Stage) -> None:
    sha = stage.shop.commit("Start")
    stage.deploy(sha)
    await stage.work()
    before = len(stage.github.requests)
    view = await stage.enriched(sha)
    assert (view.state, view.relation, view.commits, len(stage.github.requests)) == (State.COMPLETE, "same", (), before)


async def test_a_rollback_tells_what_it_took_out(stage: Stage) -> None:
    base = stage.shop.commit("Start")
    number = stage.shop.merge("Add a page", File("app/page.py", "added", 5, 0, patch="@@ -0,0 +1 @@\n+page"))
    head = stage.shop.branches["main"]
    for sha in (base, head):
        stage.deploy(sha)
    view = await stage.enriched(base)
    assert (view.state, view.relation) == (State.COMPLETE, "behind")
    assert [(c.is_taken_out, c.pull_request) for c in view.commits] == [(True, number)]
    assert [(p.number, p.is_taken_out) for p in view.pull_requests] == [(number, True)]
    (file,) = view.groups[0].files
    assert (file.path, file.status, file.added, file.removed) == ("app/page.py", "removed", 0, 5)


async def test_a_parted_history_tells_both_sides(stage: Stage) -> None:
    root = stage.shop.commit("Start")
    old = stage.shop.commit("Old way", File("app/old.py", "added", 3, 0), parents=[root])
    new = stage.shop.commit("New way", File("app/new.py", "added", 4, 0), parents=[root])
    stage.deploy(old)
    view = await stage.enriched(new)
    assert (view.state, view.relation) == (State.COMPLETE, "diverged")
    assert {(c.message, c.is_taken_out) for c in view.commits} == {("New way", False), ("Old way", True)}
    assert {(f.path, f.status) for g in view.groups for f in g.files} == {("app/new.py", "added"), ("app/old.py", "removed")}


async def test_a_base_that_is_gone_leaves_the_commit_itself(stage: Stage) -> None:
    root = stage.shop.commit("Start")
    lost = stage.shop.commit("Pushed over", parents=[root])
    new = stage.shop.commit("New", File("app/new.py"), parents=[root])
    stage.deploy(lost)
    await stage.work()
    stage.shop.forget(lost)
    view = await stage.enriched(new)
    assert view.state == State.PARTIAL and "force-pushed" in view.remedies[0]
    assert [c.message for c in view.commits] == ["New"]


async def test_a_commit_that_is_not_pushed_yet_is_waited_for(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    await stage.work()
    missing = "f" * 40
    stage.posted = 118  # just now
    view = await stage.enriched(missing)
    assert view.state == State.WAITING and view.again_at is not None and view.reasons


async def test_a_commit_that_never_comes_is_said_to_be_unknown(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    view = await stage.enriched("f" * 40)
    assert (view.state, view.commits) == (State.FAILED, ()) and view.reasons and view.remedies


async def test_more_than_the_host_lists_is_said(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    head = stage.shop.commit("All of it", *(File(f"app/f{n}.py") for n in range(320)))
    view = await stage.enriched(head)
    assert view.state == State.PARTIAL and "300" in view.reasons[0]
    assert sum(len(g.files) for g in view.groups) == 300


async def test_more_commits_than_are_taken_leave_the_newest(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    for number in range(1_020):
        head = stage.shop.commit(f"Change {number}")
    view = await stage.enriched(head)
    assert view.state == State.PARTIAL and "1,020 commits" in view.reasons[0]
    assert view.commits[0].message == "Change 1019" and len(view.commits) == 1_000


async def test_without_a_token_it_says_what_to_set_and_heals_when_it_is_set(bare: Stage) -> None:
    base, head = bare.shop.commit("Start"), bare.shop.commit("Next", File("app/a.py"))
    bare.deploy(base)
    deploy_id = bare.deploy(head)
    await bare.work()
    view = bare.view(deploy_id)
    assert view.state == State.NOT_CONFIGURED and "127.0.0.1" in view.reasons[0] and "Code hosts" in view.remedies[0]
    assert not bare.github.requests
    bare.connect()
    await bare.work()
    assert bare.view(deploy_id).state == State.COMPLETE


async def test_without_a_repository_nothing_is_announced(bare: Stage) -> None:
    bare.link()
    bare.holder = TokenHolder(**{**{n: getattr(bare.holder, n) for n in TokenHolder.__slots__}, "has_repository": False})
    view = await bare.enriched("abc1234")
    assert view.state == State.NOT_CONFIGURED and "no repository" in view.reasons[0]


async def test_a_revoked_token_is_said_and_its_replacement_heals(stage: Stage) -> None:
    base, head = stage.shop.commit("Start"), stage.shop.commit("Next", File("app/a.py"))
    stage.deploy(base)
    await stage.work()
    stage.github.revoke(TOKEN)
    view = await stage.enriched(head)
    assert view.state == State.FAILED and "401" in view.reasons[0] and TOKEN not in repr(view)
    (connection,) = stage.db.read_now(stage.owner.organization_id, connections.list_connections)
    assert "401" in connection.fault and connection.remedy
    stage.github.add_token("ghp_another")
    stage.db.write_now(
        stage.owner.organization_id, connections.replace_secret, KEYS, stage.owner, UUID(connection.id), "ghp_another"
    )
    await stage.work()
    (healed,) = [v for v in map(stage.view, all_deploys(stage)) if v.relation]
    assert healed.state == State.COMPLETE


def all_deploys(stage: Stage) -> list[UUID]:
    return stage.db.read_now(stage.owner.organization_id, lambda s: list(s.exec(select(Deploy.id))))


async def test_a_token_that_cannot_see_the_repository_is_told_which_right_it_lacks(bare: Stage) -> None:
    bare.github.add_token("ghp_public", scopes=("public_repo",), sees=())
    bare.connect("ghp_public")
    bare.deploy(bare.shop.commit("Start"))
    view = await bare.enriched(bare.shop.commit("Next"))
    assert view.state == State.FAILED and "acme/shop" in view.reasons[0] and "repo" in view.remedies[0]


async def test_a_service_s_own_token_wins(bare: Stage) -> None:
    bare.github.add_token("ghp_public", scopes=("public_repo",), sees=())
    bare.connect("ghp_public")
    bare.deploy(bare.shop.commit("Start"))
    deploy_id = bare.deploy(bare.shop.commit("Next"))
    await bare.work()
    assert bare.view(deploy_id).state == State.FAILED
    bare.connect(TOKEN, service_id=bare.service_id)
    await bare.work()
    assert bare.view(deploy_id).state == State.COMPLETE


async def test_a_used_up_rate_limit_is_waited_for(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    await stage.work()
    stage.github.limit_rate(resets_in=timedelta(minutes=10))
    view = await stage.enriched(stage.shop.commit("Next"))
    assert view.state == State.WAITING and view.again_at and view.again_at > now() + timedelta(minutes=9)
    assert "rate limit" in view.reasons[0]


async def test_a_limit_in_the_middle_keeps_what_is_known_and_goes_on(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    numbers = [stage.shop.merge(f"Change {n}", File(f"app/{n}.py")) for n in range(6)]
    await stage.work()
    stage.github.limit_secondary(f"/pulls/{numbers[2]}", retry_after=1)
    deploy_id = stage.deploy(stage.shop.branches["main"])
    await stage.work(lambda: stage.view(deploy_id).again_at is not None)
    view = stage.view(deploy_id)
    assert view.state == State.PARTIAL and len(view.commits) == 6 and len(view.pull_requests) < 6
    await stage.work(lambda: stage.view(deploy_id).state == State.COMPLETE)
    assert {p.number for p in stage.view(deploy_id).pull_requests} == set(numbers)
    asked = [r.path for r in stage.github.requests if "/pulls/" in r.path]
    assert len(asked) == len(numbers) + 1, "what was known already is not asked for again"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(500, {"message": "Oops"}), "500"),
        (Reply(200, b"<html>Welcome</html>"), "not JSON"),
        (Reply(200, [1, 2, 3]), "not shaped"),
        (Reply(200, {"commits": "many"}), "not shaped"),
        (Reply(302, {}, {"Location": "http://10.0.0.1/"}), "10.0.0.1"),
        (Reply(302, {}, {"Location": "http://169.254.169.254/latest/meta-data/"}), "169.254.169.254"),
    ],
)
async def test_whatever_the_host_answers_is_a_state(stage: Stage, reply: Reply, words: str) -> None:
    stage.deploy(stage.shop.commit("Start"))
    await stage.work()
    stage.github.answer("/compare/", *[reply] * 20)
    view = await stage.enriched(stage.shop.commit("Next"))
    assert view.state == State.FAILED and words in view.reasons[0] and view.remedies[0]
    assert not [j for j in jobs(stage) if j.state == "parked"], "a person sees it on the deploy, and asks again there"


def jobs(stage: Stage) -> list[JobRow]:
    return stage.db.read_now(stage.owner.organization_id, lambda s: list(s.exec(select(JobRow))))


async def test_a_host_that_is_down_is_tried_again_and_heals(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    await stage.work()
    stage.github.answer("/compare/", *[Reply(503, {})] * 3)
    view = await stage.enriched(stage.shop.commit("Next"))
    assert view.state == State.COMPLETE


async def test_a_host_without_tls_is_said(bare: Stage) -> None:
    tls = bare.github.url.replace("http://", "https://")
    bare.link(f"{tls}/acme/shop")
    bare.connect(host_url=tls)
    bare.deploy("abc1234")
    view = await bare.enriched("abc1235")
    assert view.state == State.FAILED and "encrypted" in view.reasons[0]


async def test_gitlab_tells_the_same(bare: Stage) -> None:
    with FakeGitLab() as gitlab:
        gitlab.add_token("glpat-good", "read_api")
        project = gitlab.add_project("acme/platform/shop")
        base = project.commit("Start", [Change("README.md", is_new=True)])
        project.commit("Work", [Change("app/db.py")], branch="pool")
        squashed = project.merge_request("Ask for more at once", source="pool", how="squash-and-merge")
        project.commit("Work", [Change("db/migrate/7.sql", is_new=True)], branch="column")
        merged = project.merge_request("Add a column", source="column", how="merge")
        bare.link(f"{gitlab.url}/acme/platform/shop")
        bare.connect("glpat-good", gitlab.url, kind="gitlab")
        bare.deploy(base)
        await bare.work()
        before = len(gitlab.requests)
        view = await bare.enriched(project.branches["main"])
        assert (view.state, view.reasons, view.relation) == (State.COMPLETE, (), "ahead")
        assert {(p.number, p.title) for p in view.pull_requests} == {
            (squashed.iid, "Ask for more at once"),
            (merged.iid, "Add a column"),
        }
        assert [g.category for g in view.groups] == ["database", "application logic"]
        assert len(gitlab.requests) - before <= 4 + 2
        back = await bare.enriched(base)
        assert (back.state, back.relation) == (State.COMPLETE, "behind") and all(c.is_taken_out for c in back.commits)


async def test_a_number_that_is_no_pull_request_s_names_none(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    view = await stage.enriched(stage.shop.commit("Mend what was reported (#77)"))
    assert (view.state, view.pull_requests) == (State.COMPLETE, ())
    assert view.commits[0].pull_request is None


async def test_a_renamed_repository_answers_under_its_old_name(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    stage.github.rename("acme/shop", "acme/store")
    view = await stage.enriched(stage.shop.commit("Next", File("app/a.py")))
    assert view.state == State.COMPLETE and len(view.commits) == 1


async def test_the_second_repository_is_asked_when_the_first_does_not_know_the_commit(stage: Stage) -> None:
    other = stage.github.add_repository("acme/other")
    lines = f"{stage.github.url}/acme/other\n{stage.github.url}/acme/shop"
    stage.link(*lines.split("\n"))
    other.commit("Elsewhere")
    stage.deploy(stage.shop.commit("Start"))
    view = await stage.enriched(stage.shop.commit("Next", File("app/a.py")))
    assert view.state == State.COMPLETE and "/acme/shop/" in view.compare_url


async def test_files_outside_the_service_s_folder_come_later(stage: Stage) -> None:
    line = f"{stage.github.url}/acme/shop services/web"
    stage.link(*line.split("\n"))
    stage.deploy(stage.shop.commit("Start"))
    files = [File("services/mail/send.py", additions=90), File("services/web/view.py")]
    view = await stage.enriched(stage.shop.commit("Both", *files))
    first, second = view.groups[0].files
    assert first.path == "services/web/view.py" and "outside services/web" in second.reasons


async def test_a_late_report_changes_what_the_next_deploy_carries(stage: Stage) -> None:
    first, middle, last = (stage.shop.commit(f"Change {n}", File(f"app/{n}.py")) for n in range(3))
    stage.deploy(first)
    stage.posted += 1
    newest = stage.deploy(last)
    await stage.work()
    assert len(stage.view(newest).commits) == 2
    stage.posted -= 2
    stage.deploy(middle)
    await stage.work()
    assert [c.message for c in stage.view(newest).commits] == ["Change 2"]


async def test_what_changed_between_tells_what_deploys_carried(stage: Stage) -> None:
    base = stage.shop.commit("Start")
    number = stage.shop.merge("Ask for more at once", File("app/db.py"))
    ids = [stage.deploy(base), stage.deploy(stage.shop.branches["main"])]
    await stage.work()
    brought = stage.db.read_now(stage.owner.organization_id, carried, ids[1:], None)
    assert [c.message for c in brought.commits] == [f"Ask for more at once (#{number})"] and brought.is_whole
    assert [(p.number, p.title) for p in brought.pull_requests] == [(number, "Ask for more at once")]
    stage.deploy(base)  # a rollback brings nothing
    await stage.work()
    back = [id_ for id_ in all_deploys(stage) if id_ not in ids]
    assert stage.db.read_now(stage.owner.organization_id, carried, back, None).commits == ()


async def test_asking_again_twice_leaves_one_of_everything(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    stage.shop.merge("Change", File("app/a.py"))
    deploy_id = stage.deploy(stage.shop.branches["main"])
    for _ in range(2):
        stage.db.write_now(stage.owner.organization_id, ask_again, stage.owner, deploy_id)
        await stage.work()
    view = stage.view(deploy_id)
    assert (len(view.commits), len(view.pull_requests), len(view.groups)) == (1, 1, 1)


async def test_a_deploy_that_is_deleted_meanwhile_ends_its_job(stage: Stage) -> None:
    stage.deploy(stage.shop.commit("Start"))
    stage.db.write_now(stage.owner.organization_id, services.delete, stage.owner, stage.service_id)
    await stage.work()
    assert {j.state for j in jobs(stage)} == {"done"}


async def test_a_test_of_the_connection_says_what_it_sees(stage: Stage) -> None:
    stage.github.add_repository("acme/hidden", private=True)
    stage.github.add_token("ghp_narrow", scopes=None, sees=["acme/shop"], expires="2026-12-01 10:00:00 UTC")
    lines = f"{stage.github.url}/acme/shop\n{stage.github.url}/acme/hidden"
    stage.link(*lines.split("\n"))
    connection_id = stage.connect("ghp_narrow", service_id=stage.service_id)
    told = await check_connection(stage.db, KEYS, stage.owner, connection_id)
    assert told.login == "ada" and not told.reason
    assert [(seen.path, bool(seen.reason)) for seen in told.repositories] == [("acme/hidden", True), ("acme/shop", False)]
    views = stage.db.read_now(stage.owner.organization_id, connections.list_connections)
    (view,) = [v for v in views if v.service_id]
    assert view.expires_at is not None and view.checked_at is not None and "ghp_narrow" not in repr((told, view))


async def test_what_waits_for_a_host_holds_nothing_up(stage: Stage) -> None:
    """A host that never answers is asked by a job; posts are answered all the same."""
    stage.deploy(stage.shop.commit("Start"))
    stage.github.hang("/compare/", times=50)
    first = stage.deploy(stage.shop.commit("Next"))
    task = asyncio.create_task(stage.work(lambda: False))
    while not any("/compare/" in request.path for request in stage.github.requests):
        await asyncio.sleep(0.02)
    second = await asyncio.to_thread(stage.deploy, stage.shop.commit("More"))
    assert first != second and not task.done() and stage.view(first).state == State.WAITING
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
