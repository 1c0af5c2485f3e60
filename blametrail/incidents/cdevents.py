"""What a CDEvent says: a deploy, or that an incident began or ended. https://cdevents.dev, versions 0.3 to 0.5."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from pydantic import BaseModel, ConfigDict, Field

from blametrail.deploys.report import LONGEST_SHA, DeployReport
from blametrail.incidents.states import Severity
from blametrail.kit.bodies import OptionalText, Text, Time, checked
from blametrail.kit.cloud_events import CloudEvent
from blametrail.kit.errors import Invalid

DEPLOYED = ("deployed", "upgraded", "rolledback", "published")
TROUBLE = ("detected", "reported", "resolved")
FROM_CUSTOM_DATA = ("commit_sha", "commit_message", "branch", "deployed_by", "version", "url", "previous_commit_sha")
"""Fields of our deploys that an event may carry as they are."""

LONGEST_ORIGIN = 500

_TYPE = re.compile(r"dev\.cdevents\.([a-z]+)\.([a-z]+)(?:\.\d.*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Nothing:
    """An event that says nothing to us, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class IncidentNews:
    """An incident as its source names it; `service` is empty when it is that of the token."""

    origin: str
    is_over: bool
    title: str
    severity: Severity
    at: datetime | None
    service: str
    environment: str
    url: str


News = DeployReport | IncidentNews | Nothing


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Reference(_Model):
    id: OptionalText = ""


class _Content(_Model):
    environment: _Reference | None = None
    service: _Reference | None = None
    artifactId: OptionalText = ""
    description: OptionalText = ""
    ticketURI: OptionalText = ""


class _Subject(_Model):
    id: Text = Field(min_length=1)
    content: _Content = _Content()


class _Context(_Model):
    timestamp: Time = None


class _CDEvent(_Model):
    context: _Context = _Context()
    subject: _Subject
    customData: Any = None


def read_cdevent(event: CloudEvent) -> News:
    """What it says to us; raises Invalid naming what is wrong with one that says something."""
    found = _TYPE.fullmatch(event.type)
    subject, predicate = found.groups() if found else ("", "")
    if (subject, predicate) not in {*(("service", p) for p in DEPLOYED), *(("incident", p) for p in TROUBLE)}:
        return Nothing(f"events of the type {event.type[:100]} change nothing here")
    said = checked(_CDEvent, event.data)
    if subject == "service":
        return _deploy(event, said, predicate)
    return _incident(event, said, is_over=predicate == "resolved")


def event_key(event: CloudEvent) -> str:
    """What makes a second delivery known: its source and id, whatever their length."""
    return "cloudevent:" + hashlib.sha256(json.dumps([event.source, event.id]).encode()).hexdigest()


def _deploy(event: CloudEvent, said: _CDEvent, predicate: str) -> DeployReport | Nothing:
    content, own = said.subject.content, said.customData if isinstance(said.customData, dict) else {}
    given = {name: own[name] for name in FROM_CUSTOM_DATA if own.get(name) is not None}
    version, commit = _artifact(content.artifactId)
    if not given.get("commit_sha"):
        if not commit:
            if predicate == "published":  # the one type of which the specification does not ask for an artifact
                return Nothing("the event names no artifact and no commit")
            why = "is required with a version, unless customData has a commit_sha"
            raise Invalid({"subject.content.artifactId": why})
        given["commit_sha"] = commit[:LONGEST_SHA]
    given.setdefault("version", version)
    deploy = {
        **given,
        "environment": content.environment.id if content.environment else "",
        "description": f"CDEvents: {said.subject.id} {predicate}, says {event.source}",
    }
    try:
        report = checked(DeployReport, deploy)
    except Invalid as error:
        said_there = {name: f"customData.{name}" for name in own}
        raise Invalid({said_there.get(name, "subject.content.artifactId"): w for name, w in error.fields.items()}) from None
    return report.model_copy(update={"deployed_at": _when(event, said)})


def _incident(event: CloudEvent, said: _CDEvent, *, is_over: bool) -> IncidentNews:
    content = said.subject.content
    named = said.customData.get("severity") if isinstance(said.customData, dict) else ""
    return IncidentNews(
        origin=_origin(event.source, said.subject.id),
        is_over=is_over,
        title=content.description.strip() or said.subject.id,
        severity=Severity(named) if isinstance(named, str) and named in list(Severity) else Severity.ERROR,
        at=_when(event, said),
        service=content.service.id if content.service else "",
        environment=content.environment.id.strip() if content.environment else "",
        url=content.ticketURI,
    )


def _origin(source: str, subject: str) -> str:
    """What the incident is called where it comes from, short enough for an index."""
    name = f"{source}:{subject}"
    return f"cdevents:{name if len(name) <= LONGEST_ORIGIN else hashlib.sha256(name.encode()).hexdigest()}"


def _when(event: CloudEvent, said: _CDEvent) -> datetime | None:
    return said.context.timestamp or event.time


def _artifact(purl: str) -> tuple[str, str]:
    """Version and commit of a package URL: the commit is in `vcs_url` where there is one, else it is the version.

    https://github.com/package-url/purl-spec
    """
    path, _, query = purl.partition("#")[0].partition("?")
    name, at, version = path.rpartition("@")
    version = unquote(version) if at and name and "/" not in version else ""
    _, at, commit = dict(parse_qsl(query)).get("vcs_url", "").rpartition("@")
    commit = commit.partition("#")[0]
    return version, commit if at and _COMMIT.fullmatch(commit) else version
