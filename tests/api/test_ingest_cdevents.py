"""CDEvents over CloudEvents 1.0 at `POST /api/ingest/cdevents`: deploys and incidents, each event once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select

from blametrail.incidents.tables import Incident, IncidentEntry, IncidentEnvironment, IncidentService
from blametrail.kit.db import EVERY_ORGANIZATION
from tests.api.test_ingest import LARGEST, Desk, Service, refused
from tests.running import Server

PATH = "/api/ingest/cdevents"
DIGEST = "sha256:" + "0b31" * 16
COMMIT = "c0ffee" + "0" * 34
AT = datetime(2026, 1, 31, 14, 2, tzinfo=UTC)
Event = dict[str, Any]


def cdevent(kind: str, content: Event | None = None, *, subject: str = "checkout", at: datetime = AT, **more: Any) -> Event:
    """The data of an event, in the shape of the specification's 0.4."""
    context = {"version": "0.4.1", "id": str(uuid4()), "source": "/ci/acme", "timestamp": at.isoformat()}
    said = {"id": subject, "source": "/ci/acme", "type": kind.partition(".")[0], "content": content or {}}
    return {"context": context | {"type": f"dev.cdevents.{kind}.0.2.0"}, "subject": said, **more}


def service(kind: str = "deployed", artifact: str = f"pkg:oci/shop@{DIGEST.replace(':', '%3A')}", **more: Any) -> Event:
    content = {"environment": {"id": "canary"}, **({"artifactId": artifact} if artifact else {})}
    return cdevent(f"service.{kind}", content, **more)


def incident(kind: str = "detected", subject: str = "incident-123", **more: Any) -> Event:
    content = {"description": "Response time above 100 ms", "environment": {"id": "production"}, "service": {"id": "myApp"}}
    return cdevent(f"incident.{kind}", content, subject=subject, **more)


class EventDesk(Desk):
    """Alice, posting events of her pipeline."""

    def structured(self, token: str | None, data: Any, /, **attributes: Any) -> httpx.Response:
        event = envelope(data) | {"datacontenttype": "application/json", "data": data} | attributes
        kept = {name: value for name, value in event.items() if value is not ...}
        return self.post(token, kept, path=PATH, headers={"Content-Type": "application/cloudevents+json; charset=utf-8"})

    def binary(
        self, token: str | None, data: Any, kind: str = "application/cdevents+json", **attributes: Any
    ) -> httpx.Response:
        headers = {f"ce-{name}": value for name, value in (envelope(data) | attributes).items() if value is not ...}
        return self.post(token, data, path=PATH, headers={"Content-Type": kind, **headers})

    def incidents(self, service: Service) -> list[Incident]:
        mine = select(IncidentService.incident_id).where(IncidentService.service_id == service.id)
        chosen = select(Incident).where(col(Incident.id).in_(mine)).order_by(col(Incident.number))
        return list(self._db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(chosen).all()))

    def entries(self, incident: Incident) -> list[str]:
        chosen = select(IncidentEntry).where(IncidentEntry.incident_id == incident.id).order_by(col(IncidentEntry.at))
        return sorted(row.kind for row in self._db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(chosen).all()))


def envelope(data: Event) -> Event:
    """The attributes that the binding takes from the event."""
    context, subject = data["context"], data["subject"]
    return {
        "specversion": "1.0",
        "id": context["id"],
        "source": context["source"],
        "type": context["type"],
        "subject": subject["id"],
        "time": context["timestamp"],
    }


@pytest.fixture(scope="module")
def desk(server: Server) -> Iterator[EventDesk]:
    with closing(EventDesk(server, server.sign_in())) as desk:
        yield desk


@pytest.fixture
def shop(desk: EventDesk) -> Service:
    return desk.service()


def told(response: httpx.Response) -> Event:
    assert response.status_code == 200, response.text
    body: Event = response.json()
    return body


# Deploys


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize("kind", ["deployed", "upgraded", "rolledback", "published"])
def test_it_makes_a_deploy_of_each_type_of_service_event(desk: EventDesk, shop: Service, kind: str, mode: str) -> None:
    answer = told(getattr(desk, mode)(shop.token, service(kind)))
    (row,) = desk.deploys(shop)
    assert answer == {"status": "accepted", "deploy_id": str(row.id)}
    assert (row.commit_sha, row.version, row.environment, row.deployed_at) == (DIGEST, DIGEST, "canary", AT)
    assert row.description == f"CDEvents: checkout {kind}, says /ci/acme"


@pytest.mark.parametrize(
    ("artifact", "custom", "commit", "version"),
    [
        ("pkg:docker/shop@v1.4.2", None, "v1.4.2", "v1.4.2"),
        ("pkg:github/acme/shop@" + COMMIT, None, COMMIT, COMMIT),
        (f"pkg:oci/shop@{DIGEST}?repository_url=ghcr.io/acme&vcs_url=git%2Bhttps://github.com/acme/shop%40{COMMIT}", None, COMMIT, DIGEST),
        (f"pkg:npm/%40acme/shop@1.0.0?vcs_url=git+ssh://git@github.com/acme/shop.git@{COMMIT}#src", None, COMMIT, "1.0.0"),
        ("pkg:npm/%40acme/shop@1.0.0?vcs_url=git+ssh://git@github.com/acme/shop.git", None, "1.0.0", "1.0.0"),
        ("pkg:oci/shop@v2", {"commit_sha": "abc1234", "commit_message": "Fix it"}, "abc1234", "v2"),
        ("", {"commit_sha": "abc1234", "version": "v3"}, "abc1234", "v3"),
        ("pkg:oci/shop@v2", "text of some other kind", "v2", "v2"),
        ("pkg:oci/shop@" + "1" * 300, None, "1" * 255, "1" * 300),
    ],
)  # fmt: skip
def test_it_finds_the_commit_or_takes_the_version(
    desk: EventDesk, shop: Service, artifact: str, custom: Any, commit: str, version: str
) -> None:
    told(desk.structured(shop.token, service(artifact=artifact, customData=custom)))
    (row,) = desk.deploys(shop)
    assert (row.commit_sha, row.version) == (commit, version)


def test_it_ignores_what_was_published_without_an_artifact(desk: EventDesk, shop: Service) -> None:
    answer = told(desk.binary(shop.token, service("published", artifact="")))
    assert answer == {"status": "ignored", "reason": "the event names no artifact and no commit"}
    assert desk.deploys(shop) == []


@pytest.mark.parametrize("artifact", ["", "shop", "pkg:oci/shop", "pkg:npm/@acme/shop", "pkg:oci/shop@%00"])
def test_it_refuses_a_deploy_of_nothing_that_can_be_named(desk: EventDesk, shop: Service, artifact: str) -> None:
    assert refused(desk.binary(shop.token, service(artifact=artifact)), 400) == {"subject.content.artifactId"}
    assert desk.deploys(shop) == []


def test_it_takes_the_time_of_the_envelope_where_the_event_has_none(desk: EventDesk, shop: Service) -> None:
    data = service()
    del data["context"]["timestamp"]
    told(desk.post(shop.token, data, path=PATH, headers={f"ce-{n}": v for n, v in {
        "specversion": "1.0", "id": "1", "source": "/x", "type": "dev.cdevents.service.deployed.0.2.0", "time": "2026-01-31T14:02:00Z",
    }.items()}))  # fmt: skip
    assert [row.deployed_at for row in desk.deploys(shop)] == [AT]


def test_it_takes_an_event_once_whatever_its_mode(desk: EventDesk, shop: Service) -> None:
    data = service()
    first = told(desk.structured(shop.token, data))["deploy_id"]
    assert told(desk.binary(shop.token, data)) == {"status": "duplicate", "deploy_id": first}
    other = {**data, "context": {**data["context"], "source": "/other"}}
    assert told(desk.binary(shop.token, other))["status"] == "accepted"
    assert len(desk.deploys(shop)) == 2


def test_it_makes_one_deploy_and_one_incident_of_copies_that_come_together(desk: EventDesk, shop: Service) -> None:
    deploy, trouble = service(), incident(subject=str(uuid4()))
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda n: told(desk.binary(shop.token, (deploy, trouble)[n % 2])), range(40)))
    assert sorted(a["status"] for a in answers) == ["accepted", *["duplicate"] * 38, "opened"]
    assert len(desk.deploys(shop)) == len(desk.incidents(shop)) == 1


# Incidents


@pytest.mark.parametrize("mode", ["structured", "binary"])
@pytest.mark.parametrize("kind", ["detected", "reported"])
def test_it_opens_and_resolves_an_incident(desk: EventDesk, shop: Service, kind: str, mode: str) -> None:
    name, post = str(uuid4()), getattr(desk, mode)
    opened = told(post(shop.token, incident(kind, name, customData={"severity": "critical"})))
    (row,) = desk.incidents(shop)
    assert opened == {"status": "opened", "incident_id": str(row.id)}
    assert (row.title, row.severity, row.origin) == ("Response time above 100 ms", "critical", f"cdevents:/ci/acme:{name}")
    assert (row.onset_at, row.detected_at, row.onset_latest) == (AT, AT, AT) and row.onset_earliest < AT
    assert told(post(shop.token, incident("reported", name)))["status"] == "absorbed"
    ended = told(post(shop.token, incident("resolved", name, at=AT + timedelta(minutes=9))))
    assert ended == {"status": "resolved", "incident_id": str(row.id)}
    (row,) = desk.incidents(shop)
    assert (row.status, row.resolved_at) == ("resolved", AT + timedelta(minutes=9))
    assert desk.entries(row) == ["opened", "resolved", "told"]


def test_it_opens_nothing_anew_by_an_event_that_comes_twice(desk: EventDesk, shop: Service) -> None:
    first, last = incident(subject="again"), incident("resolved", "again", at=AT + timedelta(minutes=9))
    opened = told(desk.binary(shop.token, first))
    told(desk.binary(shop.token, last))
    assert told(desk.binary(shop.token, first)) == {"status": "duplicate", "incident_id": opened["incident_id"]}
    assert [row.status for row in desk.incidents(shop)] == ["resolved"]
    later = incident(subject="again", at=AT + timedelta(hours=1))
    assert told(desk.binary(shop.token, later))["status"] == "opened"


def test_it_opens_nothing_when_the_end_came_before_the_beginning(desk: EventDesk, shop: Service) -> None:
    name = str(uuid4())
    ended = told(desk.binary(shop.token, incident("resolved", name, at=AT + timedelta(minutes=9))))
    assert ended == {"status": "ignored", "reason": "no open incident is known of it"}
    assert told(desk.binary(shop.token, incident(subject=name)))["status"] == "ignored"
    assert desk.incidents(shop) == []


def test_it_tells_an_incident_that_had_absorbed_it_of_the_end(desk: EventDesk, shop: Service) -> None:
    """The other one is open for a reason of its own."""
    one, two = str(uuid4()), str(uuid4())
    opened = told(desk.binary(shop.token, incident(subject=one)))["incident_id"]
    assert told(desk.binary(shop.token, incident(subject=two))) == {"status": "absorbed", "incident_id": opened}
    assert told(desk.binary(shop.token, incident("resolved", two))) == {"status": "absorbed", "incident_id": opened}
    (row,) = desk.incidents(shop)
    assert row.status == "open" and desk.entries(row) == ["opened", "told", "told"]


def test_it_puts_an_incident_on_the_service_that_is_named(desk: EventDesk, shop: Service) -> None:
    named = desk.server.service(f"Named {uuid4().hex[:8]}")
    data = incident(subject=str(uuid4()))
    data["subject"]["content"]["service"]["id"] = named["name"].upper()
    assert told(desk.binary(shop.token, data))["status"] == "opened" and desk.incidents(shop) == []
    (row,) = desk.incidents(Service(UUID(named["id"]), ""))
    places = select(IncidentEnvironment.environment).where(IncidentEnvironment.incident_id == row.id)
    assert list(desk._db.read_now(EVERY_ORGANIZATION, lambda s: s.exec(places).all())) == ["production"]


def test_it_takes_names_of_any_length(desk: EventDesk, shop: Service) -> None:
    data = incident(subject="x" * 5_000)
    assert told(desk.structured(shop.token, data))["status"] == "opened"
    assert told(desk.structured(shop.token, incident("resolved", "x" * 5_000)))["status"] == "resolved"


# The envelope


@pytest.mark.parametrize(
    "kind", ["change.merged", "service.removed", "testsuite.finished", "environment.created", "incident.forgotten"]
)
def test_it_ignores_events_of_other_types(desk: EventDesk, shop: Service, kind: str) -> None:
    answer = told(desk.binary(shop.token, cdevent(kind)))
    assert answer["status"] == "ignored" and f"dev.cdevents.{kind}.0.2.0" in answer["reason"]


def test_it_takes_drafts_plain_types_and_fields_it_does_not_know(desk: EventDesk, shop: Service) -> None:
    for kind in ("dev.cdevents.service.deployed", "dev.cdevents.service.deployed.0.3.0-draft"):
        data = service()
        data["context"] |= {"chainId": "x", "links": [{"linkType": "END"}], "schemaUri": "https://example.com"}
        assert told(desk.structured(shop.token, data, type=kind, traceparent="x", id=str(uuid4())))["status"] == "accepted"


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_it_names_attributes_that_are_missing_or_wrong(desk: EventDesk, shop: Service, name: str) -> None:
    missing: Any
    for missing in (..., ""):
        assert refused(desk.structured(shop.token, service(), **{name: missing}), 400) == {name}
        binary = desk.binary(shop.token, service(), "application/cdevents+json", **{name: missing})
        assert refused(binary, 400) == {f"ce-{name}"}
    assert refused(desk.structured(shop.token, service(), **{name: 7}), 400) == {name}
    assert desk.deploys(shop) == []


def test_it_takes_version_1_0_only(desk: EventDesk, shop: Service) -> None:
    assert refused(desk.structured(shop.token, service(), specversion="0.3"), 400) == {"specversion"}
    assert refused(desk.binary(shop.token, service(), specversion="2.0"), 400) == {"ce-specversion"}
    assert refused(desk.binary(shop.token, service(), time="yesterday"), 400) == {"ce-time"}


def test_it_reads_data_in_base64_and_escaped_headers(desk: EventDesk, shop: Service) -> None:
    data = service()
    coded = base64.b64encode(json.dumps(data).encode()).decode()
    assert told(desk.structured(shop.token, data, data=None, data_base64=coded))["status"] == "accepted"
    assert told(desk.binary(shop.token, data, source="/caf%C3%A9"))["status"] == "accepted"
    assert {row.description for row in desk.deploys(shop)} == {
        f"CDEvents: checkout deployed, says {s}" for s in ("/ci/acme", "/café")
    }
    for wrong in ("?", base64.b64encode(b"[]").decode()):
        assert refused(desk.structured(shop.token, data, data=None, data_base64=wrong), 400) == {"data_base64"}


@pytest.mark.parametrize("data", [None, [], "text", 7, ...])
def test_it_refuses_a_structured_event_without_an_object(desk: EventDesk, shop: Service, data: Any) -> None:
    assert refused(desk.structured(shop.token, service(), data=data), 400) == {"data"}


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, {"subject"}),
        ({"subject": {}}, {"subject.id"}),
        ({"subject": {"id": ""}}, {"subject.id"}),
        ({"subject": {"id": "a", "content": []}}, {"subject.content"}),
        ({"subject": {"id": "a", "content": {"environment": "production"}}}, {"subject.content.environment"}),
        ({"subject": {"id": "a"}, "context": {"timestamp": "soon"}}, {"context.timestamp"}),
        ({"subject": {"id": "a"}, "customData": {"commit_sha": 7}}, {"customData.commit_sha"}),
        ({"subject": {"id": "a"}, "customData": {"commit_sha": "x" * 256}}, {"customData.commit_sha"}),
    ],
)
def test_it_names_what_is_wrong_with_an_event(desk: EventDesk, shop: Service, data: Any, fields: set[str]) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "dev.cdevents.service.deployed.0.2.0"}
    assert refused(desk.post(shop.token, data, path=PATH, headers=headers), 400) == fields
    assert desk.deploys(shop) == []


@pytest.mark.parametrize("kind", ["text/plain", "application/cloudevents-batch+json", "application/xml"])
def test_it_refuses_another_content_type(desk: EventDesk, shop: Service, kind: str) -> None:
    assert refused(desk.binary(shop.token, service(), kind=kind), 400) == {"Content-Type"}


def test_it_takes_a_binary_event_without_a_content_type(desk: EventDesk, shop: Service) -> None:
    """As the SDK of CloudEvents sends it; nothing at all without the headers of an event."""
    assert told(desk.binary(shop.token, service(), kind=""))["status"] == "accepted"
    assert refused(desk.post(shop.token, service(), path=PATH, headers={"Content-Type": ""}), 400) == {"Content-Type"}


def test_it_keeps_the_order_of_checks(desk: EventDesk, shop: Service) -> None:
    refused(desk.post(None, b"x" * (LARGEST + 1), path=PATH), 413)
    refused(desk.post("dpl_unknown", b"{", path=PATH), 401)
    assert refused(desk.post(shop.token, b"{", path=PATH), 400) == {"body"}


def test_it_logs_what_came_of_each_event(desk: EventDesk, shop: Service) -> None:
    name = str(uuid4())
    for data in (service(), incident(subject=name), incident("resolved", name), cdevent("change.merged")):
        told(desk.structured(shop.token, data))
    refused(desk.binary(shop.token, service(artifact="")), 400)
    entries = desk.log(shop)[::-1]
    assert {entry.route for entry in entries} == {"cdevents"}
    said = [entry.reason.partition(":")[0] for entry in entries[:4]]
    assert said == ["accepted", "opened", "resolved", "ignored"] and entries[4].status == 400
    assert entries[0].deploy_id == str(desk.deploys(shop)[0].id)
