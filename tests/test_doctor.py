"""The doctor names the one thing to do next, from a new service to one that explains its deploys."""

from __future__ import annotations

import json

import pytest

from blametrail.catalog import services
from blametrail.catalog.services import ServiceDraft
from blametrail.doctor import Diagnosis, Health, Step, diagnose
from blametrail.kit.errors import NotFound
from tests.enriching import TOKEN, Stage, other_organization
from tests.peers.github import File
from tests.running import Server


def look(stage: Stage) -> dict[str, tuple[Health, str]]:
    found = stage.db.read_now(stage.owner.organization_id, diagnose, stage.service_id)
    return {step.question: (step.health, step.finding) for step in found.steps}


def following(stage: Stage) -> tuple[str, str]:
    step = stage.db.read_now(stage.owner.organization_id, diagnose, stage.service_id).next
    return (step.question, step.page) if step else ("", "")


async def test_it_leads_from_nothing_to_everything(bare: Stage) -> None:
    unlinked = ServiceDraft.checked(name="shop", environment="production", type="web")
    bare.db.write_now(bare.owner.organization_id, services.update, bare.owner, bare.service_id, unlinked)
    assert following(bare) == ("Do deploys arrive?", f"/services/{bare.service_id}")
    base, head = bare.shop.commit("Start"), bare.shop.commit("Next", File("app/a.py"))
    bare.deploy(base)
    assert following(bare) == ("Is a repository linked?", f"/services/{bare.service_id}")
    lines = f"{bare.github.url}/acme/shop"
    linked = ServiceDraft.checked(name="shop", environment="production", type="web", repositories=lines)
    bare.db.write_now(bare.owner.organization_id, services.update, bare.owner, bare.service_id, linked)
    assert following(bare) == ("Is there a token for its code host?", "/settings/code-hosts")
    bare.github.add_token("ghp_old")
    bare.github.revoke("ghp_old")
    bare.connect("ghp_old")
    bare.deploy(head)
    await bare.work()
    assert following(bare) == ("Does the token work?", "/settings/code-hosts")
    bare.connect(TOKEN, service_id=bare.service_id)
    await bare.work()
    assert following(bare) == ("", "")
    assert look(bare)["Is it known what the newest deploy carries?"] == (Health.GOOD, "Yes, all of it.")


async def test_it_shows_no_service_of_others(bare: Stage) -> None:
    with pytest.raises(NotFound):
        bare.db.read_now(other_organization(bare), diagnose, bare.service_id)


def test_it_speaks_on_the_command_line(server: Server) -> None:
    server.service("doctored")
    told = server.run("doctor", "doctored", check=False)
    assert told.returncode == 1 and "-> Do deploys arrive? Nothing has come yet." in told.stdout
    (found,) = json.loads(server.run("doctor", "doctored", "--json", check=False).stdout)
    assert found["next"]["question"] == "Do deploys arrive?"
    missing = server.run("doctor", "nobody", check=False)
    assert missing.returncode == 1 and "There is no service" in missing.stderr


def test_it_lets_no_text_from_outside_steer_a_terminal() -> None:
    step = Step("Does it?", Health.WRONG, "cleared\x1b[2J\r\n  ok forged", "mend\x07")
    words = Diagnosis("shop\x1b]0;title", (step,)).in_words()
    assert not any(c != "\n" and not c.isprintable() for c in words) and words.count("\n") == 1
