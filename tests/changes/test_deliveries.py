"""What a webhook does once it is signed: what GitLab leaves out is asked for, and what was kept can be read again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from blametrail.accounts.roles import Role
from blametrail.catalog import services
from blametrail.catalog.services import ServiceDraft
from blametrail.changes import deliveries
from blametrail.changes.deliveries import Delivery, Outcome, forget_old_webhooks, list_deliveries, replay, take_delivery
from blametrail.changes.tables import WebhookDelivery
from blametrail.changes.told import read_payload
from blametrail.changes.watch import follow_links
from blametrail.changes.webhook_secrets import Signer
from blametrail.codehosts import connections
from blametrail.codehosts.access import Kind
from blametrail.codehosts.draft import ConnectionDraft
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.kit.clock import now
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from blametrail.kit.errors import Conflict, NotAllowed, NotFound
from tests.changes import payloads
from tests.changes.test_poll import ago, rows, work
from tests.enriching import KEYS, Stage, bare, other_organization, stage
from tests.peers.gitlab import Change, FakeGitLab

__all__ = ["bare", "stage"]


def take(stage: Stage, body: bytes, kind: Kind = Kind.GITHUB, delivery: str = "") -> Outcome:
    signer = Signer(stage.owner.organization_id, UUID(int=0))
    event = "pull_request" if kind == Kind.GITHUB else "Merge Request Hook"
    came = Delivery(kind, delivery or uuid4().hex, event, body)
    told = read_payload(kind, event, body)
    return stage.db.write_now(stage.owner.organization_id, take_delivery, signer, came, told)


async def test_it_asks_for_what_gitlab_leaves_out(bare: Stage) -> None:
    with FakeGitLab() as gitlab:
        gitlab.add_token("glpat-all")
        project = gitlab.add_project("acme/payments/api")
        project.commit("Start")
        project.commit("Pages", [Change("app/pages.py")], branch="pages")
        at = ago(minutes=5)
        made = project.merge_request("Ask for more", source="pages", how="merge", author="grace", merged_at=at)
        link(bare, f"{gitlab.url}/acme/payments/api", gitlab.url)
        given = json.loads(payloads.gitlab_merge_request(made.iid, title="Ask for more"))
        given["project"]["web_url"] = f"{gitlab.url}/acme/payments/api"
        given["object_attributes"]["updated_at"] = at.strftime("%Y-%m-%d %H:%M:%S UTC")
        assert take(bare, json.dumps(given).encode(), Kind.GITLAB) == Outcome.STORED
        (row,) = rows(bare, PullRequest)
        assert (row.title, row.author, row.has_files) == ("Ask for more", "", False)
        await work(bare)
        (row,) = rows(bare, PullRequest)
        assert (row.author, row.has_files) == ("grace", True)
        assert [file.path for file in rows(bare, PullRequestFile)] == ["app/pages.py"]
        given["object_attributes"] |= {
            "action": "update",
            "title": "Renamed",
            "updated_at": now().strftime("%Y-%m-%d %H:%M:%S UTC"),
        }
        take(bare, json.dumps(given).encode(), Kind.GITLAB)
        (later,) = rows(bare, PullRequest)
        assert (later.title, later.author, later.merged_at) == ("Renamed", "grace", row.merged_at)


def link(stage: Stage, repository: str, host_url: str) -> None:
    draft = ServiceDraft.checked(name="api", environment="production", type="api", repositories=repository)
    stage.db.write_now(stage.owner.organization_id, services.create, KEYS, draft, "test")
    token = ConnectionDraft.checked(kind="gitlab", host_url=host_url, level="read", credential="token", secret="glpat-all")
    stage.db.write_now(stage.owner.organization_id, connections.add, KEYS, stage.owner, token)
    stage.db.write_now(stage.owner.organization_id, follow_links)


def kept(stage: Stage, body: bytes) -> UUID:
    """A webhook that an older version of us could not read."""
    row = WebhookDelivery(kind="github", delivery_id="old", event="pull_request", outcome="unreadable", body=body.decode())
    stage.db.write_now(stage.owner.organization_id, lambda s: s.add(row))
    return row.id


def test_it_reads_again_what_it_has_learned_to_read(stage: Stage) -> None:
    stage.db.write_now(stage.owner.organization_id, follow_links)
    body = payloads.github_pull_request(12).replace(b"https://github.com", stage.github.url.encode())
    id_ = kept(stage, body)
    assert stage.db.write_now(stage.owner.organization_id, replay, stage.owner, id_) == Outcome.STORED
    assert [row.number for row in rows(stage, PullRequest)] == [12]
    (view,) = stage.db.read_now(stage.owner.organization_id, list_deliveries)
    assert (view.outcome, view.body) == ("stored", "")
    with pytest.raises(Conflict):
        stage.db.write_now(stage.owner.organization_id, replay, stage.owner, id_)


def test_it_lets_only_admins_of_its_organization_read_it_again(stage: Stage) -> None:
    id_ = kept(stage, b"{}")
    with pytest.raises(NotAllowed):
        stage.db.write_now(stage.owner.organization_id, replay, replace(stage.owner, role=Role.RESPONDER), id_)
    elsewhere = other_organization(stage)
    with pytest.raises(NotFound):
        stage.db.write_now(elsewhere, replay, stage.owner, id_)


def test_it_forgets_after_a_month(stage: Stage) -> None:
    for name in ("new", "old"):
        take(stage, b"{}", delivery=name)

    def age(session: ScopedSession) -> None:
        row = session.exec(select(WebhookDelivery).where(WebhookDelivery.delivery_id == "old")).one()
        row.received_at = now() - deliveries.KEPT - timedelta(minutes=1)
        session.add(row)

    stage.db.write_now(stage.owner.organization_id, age)
    assert stage.db.write_now(EVERY_ORGANIZATION, forget_old_webhooks) == 1
    assert [row.delivery_id for row in rows(stage, WebhookDelivery)] == ["new"]
