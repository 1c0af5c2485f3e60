"""What is told of the addresses that take alerts and change events."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from blametrail.api import alerts, ingest
from blametrail.api.openapi_posts import KEY
from blametrail.api.operations import Body, Operation
from blametrail.api.v1_shapes import Id
from blametrail.changes.events.report import ChangeReport
from blametrail.incidents.alerts.samples import SAMPLES
from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.incidents.alerts.take import Result
from blametrail.kit.cloud_events import STRUCTURED


class KeptChange(TypedDict):
    """A change event that is stored."""

    status: Annotated[str, Field(description="`accepted`, or `duplicate` of one with the same key.")]
    change_event_id: Id


class _Heard(TypedDict):
    status: Annotated[str, Field(description="What came of it, such as `accepted`, `opened`, `duplicate` or `ignored`.")]


class HeardEvent(_Heard, total=False):
    """What came of an event."""

    deploy_id: Id
    incident_id: Id
    reason: Annotated[str, Field(description="Why nothing was done.")]


class TakenAlert(TypedDict):
    """What became of a message."""

    status: Annotated[str, Field(json_schema_extra={"enum": [result.value for result in Result]})]
    delivery_id: Id
    reason: str


CHANGE = {
    "kind": "feature_flag",
    "title": "new-checkout on for 50 %",
    "started_at": "2026-01-31T14:03:00Z",
    "services": ["checkout"],
    "environments": ["production"],
    "who": "Efua",
}
CDEVENT = {
    "specversion": "1.0",
    "id": "271069a8-fc18-44f1-b38f-9d70a1695819",
    "source": "/ci/acme",
    "type": "dev.cdevents.service.deployed.0.2.0",
    "datacontenttype": "application/json",
    "data": {
        "context": {
            "version": "0.4.1",
            "id": "271069a8-fc18-44f1-b38f-9d70a1695819",
            "source": "/ci/acme",
            "type": "dev.cdevents.service.deployed.0.2.0",
            "timestamp": "2026-01-31T14:02:00Z",
        },
        "subject": {
            "id": "checkout",
            "source": "/ci/acme",
            "type": "service",
            "content": {"environment": {"id": "production"}, "artifactId": "pkg:oci/checkout@sha256%3A0b31b1c0"},
        },
    },
}
EVENT: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent 1.0 in structured mode with a CDEvent as its data. In binary mode, its attributes are `ce-…` headers.",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {"data": {"type": "object"}},
}
MESSAGE: dict[str, Any] = {"type": "object", "description": "A message, as the source sends it."}
_REFUSALS = (400, 401, 413, 429, 503)


def _alerts_of(kind: SourceKind) -> Operation:
    return Operation(
        method="post",
        path=f"/api/alerts/{kind}",
        id=f"take_{kind}_alert",
        about=f"""Alerts in the form of {kind}.

        The token of the source stands in `X-Alert-Token`, as Bearer, or as the password of basic authentication; where the
        vendor signs, its signature will do. What is from a known source is kept, also when it cannot be read.""",
        door="alert token",
        answer=TakenAlert,
        body=Body(MESSAGE, json.dumps(SAMPLES[kind]), alerts.LARGEST_BODY),
        answers=(200, 202),
        refusals=_REFUSALS,
    )


operations: tuple[Operation, ...] = (
    Operation(
        method="post",
        path="/api/ingest/change",
        id="report_change",
        about="""Report a change event: a change that is not code.

        It is for the service whose token is shown, in the service's environment, unless the body names others.""",
        door="deploy token",
        answer=KeptChange,
        parameters=(KEY,),
        body=Body(ChangeReport, json.dumps(CHANGE), ingest.LARGEST_BODY),
        example={"X-Idempotency-Key": "flag-17"},
        refusals=_REFUSALS,
    ),
    Operation(
        method="post",
        path="/api/ingest/cdevents",
        id="take_cdevent",
        about="""A CDEvent in a CloudEvent: deploys and incidents, as pipelines tell them.

        The event's source and id are its key.""",
        door="deploy token",
        answer=HeardEvent,
        body=Body(EVENT, json.dumps(CDEVENT), ingest.LARGEST_BODY, STRUCTURED),
        refusals=_REFUSALS,
    ),
    *(_alerts_of(kind) for kind in SourceKind),
)
