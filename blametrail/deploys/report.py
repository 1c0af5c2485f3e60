"""What CI sends about a deploy, checked at the door."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from blametrail.kit.bodies import OptionalText, Text, Time, TimeOfCommit, checked, read_object
from blametrail.kit.errors import Invalid

LONGEST_SHA = 255
LONGEST_URL = 2_048
MOST_COMMITS = 100
LONGEST_KEY = 255

Sha = Annotated[Text, AfterValidator(str.strip), Field(min_length=1, max_length=LONGEST_SHA)]


class ReportedCommit(BaseModel):
    """One of the commits that a deploy carries."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    sha: Sha
    message: OptionalText = ""
    author: OptionalText = ""
    timestamp: TimeOfCommit = None


class DeployReport(BaseModel):
    """The body of a deploy post; fields and limits are those of the public contract."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    commit_sha: Sha
    commit_message: OptionalText = ""
    branch: OptionalText = ""
    deployed_by: OptionalText = ""
    environment: OptionalText = ""
    version: OptionalText = ""
    description: OptionalText = ""
    url: Annotated[OptionalText, Field(max_length=LONGEST_URL)] = ""
    commits: Annotated[
        list[ReportedCommit], BeforeValidator(lambda v: [] if v is None else v), Field(max_length=MOST_COMMITS)
    ] = []
    deployed_at: Time = None
    previous_commit_sha: Annotated[OptionalText, Field(max_length=LONGEST_SHA)] = ""


def parse_report(body: bytes) -> DeployReport:
    """Read a body; raises Invalid naming each wrong field as `commits.3.sha`, or `body`."""
    return checked(DeployReport, read_object(body))


def check_key(key: str | None) -> str | None:
    """The idempotency key, or None when there is none; raises Invalid."""
    key = (key or "").strip()
    if len(key) > LONGEST_KEY:
        raise Invalid({"X-Idempotency-Key": f"must have at most {LONGEST_KEY} characters"})
    return key or None
