"""What is told of the addresses that take what others post: CI and code hosts."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from blametrail.api import ingest, webhooks
from blametrail.api.operations import Body, Door, Operation, Parameter
from blametrail.api.v1_shapes import Id
from blametrail.changes.deliveries import Outcome
from blametrail.deploys.report import LONGEST_KEY, DeployReport


class Taken(TypedDict):
    """A deploy that is stored."""

    status: Annotated[str, Field(description="`accepted`, or `duplicate` of one with the same key.")]
    deploy_id: Id


class Tried(TypedDict):
    """What would be stored."""

    status: str
    service: str
    environment: str


class Told(TypedDict):
    """What became of a webhook."""

    status: Annotated[str, Field(json_schema_extra={"enum": [outcome.value for outcome in Outcome]})]


REPORT = json.dumps(
    {
        "commit_sha": "9f4c2d1e8b7a6053c1d2e3f4a5b6c7d8e9f0a1b2",
        "commit_message": "Retry payments",
        "branch": "main",
        "version": "v2.24.1",
        "deployed_by": "Efua",
    }
)
KEY = Parameter(
    "X-Idempotency-Key",
    "The same key again answers with the deploy that it made.",
    {"type": "string", "maxLength": LONGEST_KEY},
    "header",
)
EVENT: dict[str, Any] = {"type": "object", "description": "An event, as the code host sends it."}


def _header(name: str, about: str) -> Parameter:
    return Parameter(name, about, {"type": "string"}, "header", is_required=False)


def _webhook(host: str, door: Door, headers: tuple[Parameter, ...], example: dict[str, str], event: object) -> Operation:
    return Operation(
        method="post",
        path=f"/api/{host.lower()}/webhook",
        id=f"take_{host.lower()}_webhook",
        about=f"""A webhook of {host}.

        Whoever's secret signed it is the organization that it is for. What is signed is kept, also when it cannot be read;
        one that comes again is not acted on again.""",
        door=door,
        answer=Told,
        parameters=headers,
        body=Body(EVENT, json.dumps(event), webhooks.LARGEST_BODY),
        example=example,
        answers=(200, 202),
        refusals=(400, 401, 413, 429, 503),
    )


operations = (
    Operation(
        method="post",
        path="/api/ingest/deploy",
        id="report_deploy",
        about="""Report a deploy.

        An accepting answer means that the deploy is stored. It is for the service whose token is shown, in the service's
        environment unless the body names another.""",
        door="deploy token",
        answer=Taken,
        parameters=(KEY,),
        body=Body(DeployReport, REPORT, ingest.LARGEST_BODY),
        example={"X-Idempotency-Key": "run-4711"},
        refusals=(400, 401, 413, 429, 503),
    ),
    Operation(
        method="post",
        path="/api/ingest/deploy/test",
        id="try_deploy",
        about="""Check a report of a deploy; nothing is stored.""",
        door="deploy token",
        answer=Tried,
        parameters=(KEY,),
        body=Body(DeployReport, REPORT, ingest.LARGEST_BODY),
        refusals=(400, 401, 413, 429, 503),
    ),
    _webhook(
        "GitHub",
        "github signature",
        (_header("X-GitHub-Event", "What happened."), _header("X-GitHub-Delivery", "The same again is the same webhook.")),
        {"X-GitHub-Event": "ping", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"},
        {"zen": "Keep it logically awesome.", "hook_id": 1},
    ),
    _webhook(
        "GitLab",
        "gitlab signature",
        (_header("X-Gitlab-Event", "What happened."), _header("Idempotency-Key", "The same again is the same webhook.")),
        {"X-Gitlab-Event": "Tag Push Hook", "Idempotency-Key": "4a5b6c7d"},
        {
            "object_kind": "tag_push",
            "project": {"id": 7, "web_url": "https://gitlab.com/acme/checkout", "path_with_namespace": "acme/checkout"},
        },
    ),
)
