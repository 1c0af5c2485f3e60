"""Whatever an event holds, it is read, refused in words, or says nothing; nothing else ever happens."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from blametrail.deploys.report import DeployReport
from blametrail.incidents.cdevents import IncidentNews, Nothing, event_key, read_cdevent
from blametrail.kit.cloud_events import STRUCTURED, CloudEvent, read_cloud_event
from blametrail.kit.errors import Invalid

FIELDS = [
    "context",
    "subject",
    "content",
    "environment",
    "service",
    "artifactId",
    "description",
    "customData",
    "id",
    "timestamp",
]
TYPES = [
    f"dev.cdevents.{kind}.0.2.0" for kind in ("service.deployed", "service.published", "incident.detected", "incident.resolved")
]

texts = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.sampled_from(["pkg:oci/a@b?vcs_url=git@c", "pkg:a@%00", "pkg:a@%ff", "2026-01-31T14:02:00Z", "x" * 300]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(FIELDS), texts), inner, max_size=6)
    ),
    max_leaves=20,
)
contents = st.fixed_dictionaries({}, optional=dict.fromkeys(("environment", "service", "artifactId", "description"), values))
events = st.fixed_dictionaries(
    {"subject": st.fixed_dictionaries({"id": texts}, optional={"content": st.one_of(contents, values)})},
    optional={"context": values, "customData": values},
)


@given(st.sampled_from([*TYPES, "dev.cdevents.service.", "", "x"]), events)
def test_it_reads_or_refuses_any_event(kind: str, data: dict[str, Any]) -> None:
    try:
        news = read_cdevent(CloudEvent("1", "/x", kind, "", None, data))
    except Invalid as error:
        assert error.fields and all(name.partition(".")[0] in {"subject", "context", "customData"} for name in error.fields)
        return
    assert isinstance(news, DeployReport | IncidentNews | Nothing)
    if isinstance(news, IncidentNews):
        assert news.title and len(news.origin) <= 600
        (news.title + news.environment + news.service + news.origin).encode()


@given(
    st.dictionaries(st.sampled_from(["content-type", "ce-id", "ce-type", "ce-source", "ce-specversion", "ce-time"]), texts),
    st.binary(),
)
def test_it_reads_or_refuses_any_request(headers: dict[str, str], body: bytes) -> None:
    try:
        read_cloud_event(headers, body)
    except Invalid as error:
        assert error.fields


@given(st.dictionaries(st.sampled_from(["specversion", "id", "source", "type", "data", "data_base64", "time"]), values))
def test_it_reads_or_refuses_any_structured_event(event: dict[str, Any]) -> None:
    try:
        read_cloud_event({"content-type": STRUCTURED}, json.dumps(event).encode())
    except Invalid as error:
        assert error.fields


def test_it_keeps_source_and_id_apart() -> None:
    keys = {event_key(CloudEvent(id_, source, "", "", None, {})) for source, id_ in (("a", "bc"), ("ab", "c"), ("abc", ""))}
    assert len(keys) == 3 and max(map(len, keys)) < 255
