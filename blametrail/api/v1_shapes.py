"""What the read API answers. Names of fields stay, new ones may come; what is not known is null."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads that of `typing` from Python 3.12 on only


def _told(about: str, **schema: Any) -> Any:
    return Field(description=about, json_schema_extra=schema or None)


Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
NextCursor = Annotated[str | None, _told("Ask again with it as `cursor`; null on the last page.")]


class Named(TypedDict):
    """A service by its id and name."""

    id: Id
    name: str


class Deploy(TypedDict):
    """A deploy as one of many."""

    id: Id
    service: Named
    environment: str
    kind: Annotated[str, _told("Against what was live before.", enum=["first", "deploy", "redeploy", "rollback"])]
    commit_sha: str
    title: Annotated[str, _told("The first line of the commit's message, or else of what is known.")]
    version: str | None
    branch: str | None
    deployed_by: str | None
    deployed_at: Time
    commit_count: int
    page_url: str
    previous_commit_sha: str | None
    rollback_of_id: Annotated[Id | None, _told("The deploy that a rollback brought back.")]
    received_at: Time
    compare_url: str | None


class DeployList(TypedDict):
    deploys: list[Deploy]
    next_cursor: NextCursor


class Commit(TypedDict):
    """A commit that CI named."""

    sha: str
    title: str | None
    author: str | None
    timestamp: Time | None
    url: str | None


class CarriedPullRequest(TypedDict):
    """A pull request that a deploy carries, as the code host says."""

    number: int
    title: str
    author: str | None
    url: str
    taken_out: Annotated[bool, _told("A rollback took it out.")]


class CarriedCommit(TypedDict):
    """A commit that a deploy carries, as the code host says."""

    sha: str
    title: str | None
    author: str | None
    url: str | None
    pull_request: int | None
    taken_out: bool


class CarriedFile(TypedDict):
    """A file that differs between a deploy and the one before it."""

    path: str
    status: str
    added: int
    removed: int
    category: str


class Enrichment(TypedDict):
    """What the code host says that a deploy carries, and what is missing."""

    state: Annotated[str, _told("How far it is known.", enum=["waiting", "complete", "partial", "failed", "not configured"])]
    missing: Annotated[list[str], _told("What is not known and why, a sentence each.")]
    remedies: Annotated[list[str], _told("What to do about it.")]
    relation: str | None
    pull_requests: list[CarriedPullRequest]
    commits: list[CarriedCommit]
    files: list[CarriedFile]


class DeployDetail(Deploy):
    """A deploy on its own."""

    commit_url: str | None
    commit_message: str | None
    description: str | None
    url: Annotated[str | None, _told("The CI run.")]
    remarks: Annotated[list[str], _told("What was odd about the report.")]
    previous_id: Id | None
    next_id: Id | None
    commits: list[Commit]
    enrichment: Enrichment


class LinkedRepository(TypedDict):
    url: str
    path_prefix: str | None


class Service(TypedDict):
    """Something that is deployed and can break."""

    id: Id
    name: str
    environment: str
    type: str
    url: str | None
    owner_team: str | None
    repositories: list[LinkedRepository]
    depends_on: list[Named]
    created_at: Time
    page_url: str


class ServiceList(TypedDict):
    services: list[Service]
    next_cursor: NextCursor


class WhyNothing(TypedDict):
    """Why no deploy was live."""

    code: Annotated[str, _told("", enum=["nothing_deployed", "deployed_later"])]
    message: str


class Live(TypedDict):
    """What was live of a service in an environment."""

    service: Named
    environment: str
    deploy: Deploy | None
    reason: WhyNothing | None


class LiveList(TypedDict):
    at: Time
    live: list[Live]
    next_cursor: NextCursor


class BroughtPullRequest(TypedDict):
    """A pull request by which commits came."""

    number: int
    title: str
    author: str
    url: str


class Difference(TypedDict):
    """A service in an environment at two moments, and what happened in between."""

    service: Named
    environment: str
    changed: Annotated[bool, _told("Whether anything was deployed in between.")]
    before: Deploy | None
    after: Deploy | None
    base_commit_sha: str | None
    head_commit_sha: str | None
    compare_url: str | None
    deploy_count: int
    rollback_count: int
    deploys: Annotated[list[Deploy], _told("The newest 20 in between.")]
    commits: Annotated[list[Commit], _told("At most 50 that they brought.")]
    pull_requests: list[BroughtPullRequest]
    has_all_commits: bool


DifferenceList = TypedDict("DifferenceList", {"from": Time, "to": Time, "changes": list[Difference], "next_cursor": NextCursor})


class Change(TypedDict):
    """A merged pull request as one of many."""

    id: Id
    number: int
    title: str
    author: str | None
    repository: str
    host_url: str
    url: str | None
    labels: list[str]
    merged_at: Time
    file_count: Annotated[int | None, _told("Null while its files are not known.")]
    services: Annotated[list[Named], _told("Those it may have changed, by their repositories.")]
    matched_files: Annotated[list[str], _told("The first files that fit the words or the path.")]
    excerpt: Annotated[str | None, _told("Where its text has the words, unless its title has them.")]
    page_url: str


class ChangeList(TypedDict):
    changes: list[Change]
    count: Annotated[int, _told("Of all pages, up to 200.")]
    next_cursor: NextCursor


class ChangedFile(TypedDict):
    """A file that a pull request changed. There are no patches here: they are on the code host."""

    path: str
    old_path: str | None
    status: str
    added: int
    removed: int
    category: str


class ChangeDetail(Change):
    """A merged pull request on its own."""

    body: str | None
    base_branch: str | None
    merge_commit_sha: str | None
    head_commit_sha: str | None
    added: int
    removed: int
    has_all_files: bool
    files: Annotated[list[ChangedFile], _told("Those worth reading first come first.")]


class Onset(TypedDict):
    """When it began: an estimate between two moments, until a person says."""

    at: Time
    earliest: Time
    latest: Time
    basis: Annotated[str, _told("What the estimate rests on; it follows the word because.")]
    set_by: Annotated[str | None, _told("The person who set it; null while it is an estimate of ours.")]


class Incident(TypedDict):
    """An incident as one of many."""

    id: Id
    number: int
    type: Annotated[str, _told("Who told of it first.")]
    severity: Annotated[str, _told("", enum=["critical", "error", "warning", "info"])]
    status: Annotated[str, _told("", enum=["open", "acknowledged", "resolved"])]
    title: str
    services: list[Named]
    environments: list[str]
    onset_at: Time
    detected_at: Time
    acknowledged_at: Time | None
    resolved_at: Time | None
    merged_into_id: Id | None
    page_url: str


class IncidentList(TypedDict):
    incidents: list[Incident]
    next_cursor: NextCursor


class SymptomFrame(TypedDict):
    """A place in code that a stack trace names."""

    path: str
    line: int | None
    function: str | None
    is_ours: Annotated[bool, _told("False for installed packages and the language itself.")]


class Symptom(TypedDict):
    """What the incident shows, as it came, and what was recognised in it."""

    error_message: str | None
    stack_trace: str | None
    log_excerpt: str | None
    endpoint: str | None
    exception: str | None
    frames: Annotated[list[SymptomFrame], _told("Innermost first.")]
    files: list[str]
    identifiers: list[str]


class Entry(TypedDict):
    """Something that happened to an incident."""

    at: Time
    kind: str
    who: str
    text: str | None


class IncidentDetail(Incident):
    """An incident on its own."""

    description: str | None
    origin: Annotated[str | None, _told("What tells of it, such as a monitor; null where a person did.")]
    onset: Onset
    acknowledged_by: str | None
    resolved_by: str | None
    symptom: Symptom
    entries: Annotated[list[Entry], _told("The last 500, oldest first.")]
    merged: Annotated[list[Incident], _told("Those that were merged into it.")]


class WrongField(TypedDict):
    field: str
    message: str


class Error(TypedDict, total=False):
    code: str
    message: str
    fields: Annotated[list[WrongField], _told("Each that is wrong, where the code is `invalid_request`.")]


class Refusal(TypedDict):
    """Every error has this shape."""

    error: Error
    request_id: Annotated[str, _told("Quote it to whoever runs the server.")]
