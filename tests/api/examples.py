"""The examples of the OpenAPI document, sent to a server that has just what they are about.

`python -m tests.api.examples` writes what is answered to them into the document.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import select

import blametrail.changes.index  # noqa: F401  (changes are found)
from blametrail.accounts import organizations
from blametrail.accounts.tables import Person
from blametrail.api import openapi
from blametrail.catalog.tables import Service, ServiceDependency, ServiceRepository
from blametrail.codehosts.tables import PullRequest, PullRequestFile
from blametrail.deploys.tables import (
    Deploy,
    DeployCommit,
    EnrichedCommit,
    EnrichedFile,
    EnrichedPullRequest,
    Enrichment,
)
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.states import EntryKind
from blametrail.incidents.tables import Incident, IncidentEntry, IncidentEnvironment, IncidentService
from blametrail.kit.db import EVERY_ORGANIZATION, ScopedSession
from tests.cast import opened
from tests.running import Server, running

SHOWN_AS = "https://blametrail.example.com"
TWO = datetime(2026, 1, 31, 14, tzinfo=UTC)
OLD, NEW = "2b7e1f90c4d3a5b6e7f8091a2b3c4d5e6f708192", "9f4c2d1e8b7a6053c1d2e3f4a5b6c7d8e9f0a1b2"
HOST, REPOSITORY = "https://github.com", "acme/checkout"
TRACE = """Traceback (most recent call last):
  File "/app/payments/client.py", line 88, in charge
    return self._post("/charges", body)
payments.errors.GatewayTimeout: no answer within 2 s"""


def id_(end: str) -> UUID:
    return UUID(f"0193f6b2-0000-4000-8000-{end:>012}")


MADE = {"deploy_id": id_("d009"), "change_event_id": id_("f009"), "delivery_id": id_("b009"), "incident_id": id_("e009")}
"""Ids that a server gives to what it is sent, as the examples show them."""

CHECKOUT, LEDGER, CHANGE, INCIDENT = id_("a001"), id_("a002"), id_("c001"), id_("e001")


@dataclass
class Stage:
    """A server that has what the examples are about, and what they show it."""

    server: Server
    secrets: dict[str, str]

    def ask(self, operation_id: str, source: str) -> Any:
        """What a person gets who pastes the line of an example."""
        kind = operation_id.split("_")[1]
        shown = {name: secret for name, secret in self.secrets.items() if name.startswith("BLAMETRAIL")}
        shown |= {f"BLAMETRAIL_{what}": self.secrets.get(kind, "") for what in ("WEBHOOK_SECRET", "ALERT_TOKEN")}
        ran = subprocess.run(
            ["sh", "-c", source.replace(SHOWN_AS, self.server.url)],
            env={"PATH": os.environ["PATH"], **shown},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, (source, ran.stderr, ran.stdout)
        answer = json.loads(ran.stdout.replace(self.server.url, SHOWN_AS))
        made = {
            name for name in MADE if operation_id.partition("_")[0] not in {"list", "get", "what", "search"} and name in answer
        }
        return answer | {name: str(UUID(answer[name]) and MADE[name]) for name in made}


def samples() -> dict[str, str]:
    """What a shell is given for each example, by the operation's id."""
    document = openapi.document(SHOWN_AS)
    told = (one for methods in document["paths"].values() for one in methods.values())
    return {one["operationId"]: one["x-codeSamples"][0]["source"] for one in told}


@contextmanager
def stage(data_dir: Path) -> Iterator[Stage]:
    with running(data_dir, BLAMETRAIL_API_RATE_LIMIT="1000000/minute") as server:
        server.found()
        with opened(server) as db:
            acme = db.read_now(EVERY_ORGANIZATION, _acme)
            db.write_now(acme, _plant)
        with closing(server.sign_in()) as client:
            made = {
                "BLAMETRAIL_API_TOKEN": server.form(client, "api-token", name="examples"),
                "BLAMETRAIL_DEPLOY_TOKEN": server.form(client, "rotate", service_id=str(CHECKOUT)),
                "github": server.form(client, "webhook-secret", kind="github"),
                "gitlab": server.form(client, "webhook-secret", kind="gitlab"),
                **{kind.value: server.form(client, "alert-source", kind=kind, name=f"{kind} here") for kind in SourceKind},
            }
        yield Stage(server, {name: answer.json()["secret"] for name, answer in made.items()})


def _acme(session: ScopedSession) -> UUID:
    alice = next(person for person in session.exec(select(Person)) if person.email == "alice@example.com")
    return UUID(organizations.of_person(session, alice.id)[0][0])


def _plant(session: ScopedSession) -> None:
    for rows in (_services(), _links(), _change(), _deploys(), _carried(), _incident(), _symptoms()):
        session.add_all(rows)
        session.flush()


def _services() -> list[Any]:
    at = TWO - timedelta(days=30)
    checkout: dict[str, Any] = {"environment": "production", "type": "web", "owner_team": "Shop", "created_at": at}
    return [
        Service(id=CHECKOUT, name="checkout", url="https://shop.example.com", **checkout),
        Service(id=LEDGER, name="ledger", environment="production", type="database", created_at=at),
    ]


def _links() -> list[Any]:
    return [
        ServiceRepository(service_id=CHECKOUT, host_url=HOST, path=REPOSITORY),
        ServiceDependency(service_id=CHECKOUT, depends_on_id=LEDGER),
    ]


def _change() -> list[Any]:
    times: dict[str, Any] = {"created_at": TWO - timedelta(days=1), "updated_at": TWO, "merged_at": TWO - timedelta(minutes=9)}
    file: dict[str, Any] = {"pull_request_id": CHANGE, "status": "modified", "relevance": 1.0}
    return [
        PullRequestFile(position=0, path="payments/client.py", added=21, removed=4, category="application logic", **file),
        PullRequestFile(position=1, path="tests/test_client.py", added=30, removed=0, category="tests", **file),
        PullRequest(
            id=CHANGE,
            host_url=HOST,
            repository=REPOSITORY,
            number=812,
            title="Retry payments",
            body="The gateway drops one call in a thousand.",
            author="efua",
            labels="payments",
            state="merged",
            url=f"{HOST}/{REPOSITORY}/pull/812",
            base_branch="main",
            head_sha="5c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
            merge_sha=NEW,
            has_files=True,
            has_all_files=True,
            **times,
        ),
    ]


def _deploys() -> list[Any]:
    common: dict[str, Any] = {"service_id": CHECKOUT, "environment": "production", "branch": "main", "deployed_by": "Efua"}
    first, second, back = id_("d001"), id_("d002"), id_("d003")

    def at(minute: int) -> dict[str, Any]:
        moment = TWO + timedelta(minutes=minute)
        return {"deployed_at": moment, "received_at": moment + timedelta(microseconds=412907)}

    old: dict[str, Any] = {"commit_sha": OLD, "commit_message": "Show the total"}
    new: dict[str, Any] = {"commit_sha": NEW, "commit_message": "Retry payments"}
    return [
        Deploy(id=first, kind="first", version="v2.23.0", **old, **common, **at(-300)),
        Deploy(
            id=second, kind="deploy", version="v2.24.0", previous_sha=OLD, commit_count=1, **new, **common, **at(2),
            url="https://ci.example.com/runs/4711",
        ),
        Deploy(id=back, kind="rollback", version="v2.23.0", previous_sha=NEW, rollback_of_id=first, **old, **common, **at(40)),
    ]  # fmt: skip


def _carried() -> list[Any]:
    second = id_("d002")
    file: dict[str, Any] = {"deploy_id": second, "status": "modified", "relevance": 1.0}
    return [
        DeployCommit(deploy_id=second, position=0, sha=NEW, message="Retry payments", author="Efua", authored_at=TWO),
        Enrichment(
            deploy_id=second, state="complete", host_url=HOST, repository=REPOSITORY, base_sha=OLD, relation="ahead",
            total_commits=1, has_all_files=True, tried_at=TWO,
        ),
        EnrichedPullRequest(deploy_id=second, pull_request_id=CHANGE),
        EnrichedCommit(
            deploy_id=second, position=0, sha=NEW, message="Retry payments (#812)", author="Efua", pull_request_id=CHANGE,
            url=f"{HOST}/{REPOSITORY}/commit/{NEW}",
        ),
        EnrichedFile(position=0, path="payments/client.py", added=21, removed=4, category="application logic", **file),
    ]  # fmt: skip


def _incident() -> list[Any]:
    onset: dict[str, Any] = {"onset_at": TWO + timedelta(minutes=4), "onset_earliest": TWO + timedelta(minutes=3)}
    told: dict[str, Any] = {"detected_at": TWO + timedelta(minutes=6), "last_told_at": TWO + timedelta(minutes=6)}
    return [
        Incident(
            id=INCIDENT, number=41, type="manual", severity="critical", title="Payments time out", error_message="",
            stack_trace=TRACE, endpoint="POST /pay", onset_latest=TWO + timedelta(minutes=6),
            onset_basis="the report says so", **onset, **told,
        ),
    ]  # fmt: skip


def _symptoms() -> list[Any]:
    return [
        IncidentService(incident_id=INCIDENT, service_id=CHECKOUT),
        IncidentEnvironment(incident_id=INCIDENT, environment="production"),
        IncidentEntry(
            incident_id=INCIDENT,
            at=TWO + timedelta(minutes=6),
            kind=EntryKind.OPENED.value,
            who="Bob",
            text="Payments time out",
        ),
    ]


def main() -> None:
    """Write what is answered now."""
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder) / "data") as ready:
        answered = {id_: ready.ask(id_, source) for id_, source in samples().items()}
    openapi.EXAMPLES.write_text(json.dumps(answered, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
