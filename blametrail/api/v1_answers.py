"""What is known of deploys, services, changes and incidents, in the shapes of the read API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from blametrail.api import v1_shapes as shapes
from blametrail.catalog.services import ServiceView
from blametrail.changes.views import ChangeDetail, ChangeView
from blametrail.changes.words import Piece
from blametrail.deploys.enrichment.views import EnrichmentView
from blametrail.deploys.find import CommitView, DeployDetail
from blametrail.deploys.live_at import Live, Target
from blametrail.deploys.summaries import DeploySummary
from blametrail.deploys.views import DeployView, title_of
from blametrail.deploys.what_changed import Change
from blametrail.incidents.find import IncidentDetail, IncidentView
from blametrail.settings import settings


def time(moment: datetime) -> str:
    """Always of the same width, so that times can be compared as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def deploy(one: DeploySummary) -> shapes.Deploy:
    return _deploy(one.deploy, one.previous_sha, one.rollback_of_id, one.received_at, one.compare_url)


def deploy_detail(found: DeployDetail) -> shapes.DeployDetail:
    rollback_of = found.rollback_of.id if found.rollback_of else ""
    return {
        **_deploy(found.deploy, found.from_sha, rollback_of, found.received_at, found.compare_url),
        "commit_url": found.commit_url or None,
        "commit_message": found.message or None,
        "description": found.description or None,
        "url": found.url or None,
        "remarks": list(found.remarks),
        "previous_id": found.previous.id if found.previous else None,
        "next_id": found.next.id if found.next else None,
        "commits": [_commit(commit) for commit in found.commits],
        "enrichment": _enrichment(found.enrichment),
    }


def service(one: ServiceView) -> shapes.Service:
    return {
        "id": one.id,
        "name": one.name,
        "environment": one.environment,
        "type": one.type,
        "url": one.url or None,
        "owner_team": one.owner_team or None,
        "repositories": [
            {"url": f"{link.host_url}/{link.path}", "path_prefix": link.path_prefix or None} for link in one.repositories
        ],
        "depends_on": _named(one.depends_on),
        "created_at": time(one.created_at),
        "page_url": f"{settings().base_url}/services/{one.id}",
    }


def live(one: Live) -> shapes.Live:
    return {
        "service": _service_of(one.target),
        "environment": one.target.environment,
        "deploy": deploy(one.deploy) if one.deploy else None,
        "reason": None if one.deploy else _why_nothing(one.first_at),
    }


def difference(one: Change) -> shapes.Difference:
    return {
        "service": _service_of(one.target),
        "environment": one.target.environment,
        "changed": one.deploy_count > 0,
        "before": deploy(one.before) if one.before else None,
        "after": deploy(one.after) if one.after else None,
        "base_commit_sha": one.base_sha or None,
        "head_commit_sha": one.head_sha or None,
        "compare_url": one.compare_url or None,
        "deploy_count": one.deploy_count,
        "rollback_count": one.rollback_count,
        "deploys": [deploy(deployed) for deployed in one.deploys],
        "commits": [_commit(commit) for commit in one.carried.commits],
        "pull_requests": [
            {"number": p.number, "title": p.title, "author": p.author, "url": p.url} for p in one.carried.pull_requests
        ],
        "has_all_commits": one.carried.is_whole,
    }


def change(one: ChangeView) -> shapes.Change:
    return {
        "id": one.id,
        "number": one.number,
        "title": one.title,
        "author": one.author or None,
        "repository": one.repository,
        "host_url": one.host_url,
        "url": one.url or None,
        "labels": list(one.labels),
        "merged_at": time(one.merged_at),
        "file_count": one.files if one.has_files else None,
        "services": _named(one.services),
        "matched_files": [_text(pieces) for pieces in one.matched_files],
        "excerpt": _text(one.excerpt) or None,
        "page_url": f"{settings().base_url}/changes?change={one.id}",
    }


def change_detail(found: ChangeDetail) -> shapes.ChangeDetail:
    return {
        **change(found.change),
        "body": found.body or None,
        "base_branch": found.base_branch or None,
        "merge_commit_sha": found.merge_sha or None,
        "head_commit_sha": found.head_sha or None,
        "added": found.added,
        "removed": found.removed,
        "has_all_files": found.has_all_files,
        "files": [
            {
                "path": file.path,
                "old_path": file.old_path or None,
                "status": file.status,
                "added": file.added,
                "removed": file.removed,
                "category": category,
            }
            for category, files in found.categories
            for file in files
        ],
    }


def incident(one: IncidentView) -> shapes.Incident:
    return {
        "id": one.id,
        "number": one.number,
        "type": one.type,
        "severity": one.severity,
        "status": one.status,
        "title": one.title,
        "services": _named(one.services),
        "environments": list(one.environments),
        "onset_at": time(one.onset_at),
        "detected_at": time(one.detected_at),
        "acknowledged_at": time(one.acknowledged_at) if one.acknowledged_at else None,
        "resolved_at": time(one.resolved_at) if one.resolved_at else None,
        "merged_into_id": one.merged_into or None,
        "page_url": f"{settings().base_url}/incidents/{one.id}",
    }


def incident_detail(found: IncidentDetail) -> shapes.IncidentDetail:
    return {
        **incident(found.incident),
        "description": found.description or None,
        "origin": found.origin or None,
        "onset": {
            "at": time(found.incident.onset_at),
            "earliest": time(found.onset_earliest),
            "latest": time(found.onset_latest),
            "basis": found.onset_basis,
            "set_by": found.onset_by or None,
        },
        "acknowledged_by": found.acknowledged_by or None,
        "resolved_by": found.resolved_by or None,
        "symptom": _symptom(found),
        "entries": [{"at": time(e.at), "kind": e.kind, "who": e.who, "text": e.text or None} for e in found.entries],
        "merged": [incident(one) for one in found.merged],
    }


def _symptom(found: IncidentDetail) -> shapes.Symptom:
    known = found.recognised
    return {
        "error_message": found.error_message or None,
        "stack_trace": found.stack_trace or None,
        "log_excerpt": found.log_excerpt or None,
        "endpoint": found.endpoint or None,
        "exception": known.exception or None,
        "frames": [
            {"path": f.path, "line": f.line or None, "function": f.function or None, "is_ours": f.is_ours} for f in known.frames
        ],
        "files": list(known.files),
        "identifiers": list(known.identifiers),
    }


def _deploy(d: DeployView, previous_sha: str, rollback_of_id: str, received_at: datetime, compare_url: str) -> shapes.Deploy:
    return {
        "id": d.id,
        "service": {"id": d.service_id, "name": d.service},
        "environment": d.environment,
        "kind": d.kind,
        "commit_sha": d.commit_sha,
        "title": d.title,
        "version": d.version or None,
        "branch": d.branch or None,
        "deployed_by": d.deployed_by or None,
        "deployed_at": time(d.deployed_at),
        "commit_count": d.commit_count,
        "page_url": f"{settings().base_url}/deploys/{d.id}",
        "previous_commit_sha": previous_sha or None,
        "rollback_of_id": rollback_of_id or None,
        "received_at": time(received_at),
        "compare_url": compare_url or None,
    }


def _enrichment(known: EnrichmentView) -> shapes.Enrichment:
    return {
        "state": known.state,
        "missing": list(known.reasons),
        "remedies": list(known.remedies),
        "relation": known.relation or None,
        "pull_requests": [
            {"number": p.number, "title": p.title, "author": p.author or None, "url": p.url, "taken_out": p.is_taken_out}
            for p in known.pull_requests
        ],
        "commits": [
            {
                "sha": c.sha,
                "title": title_of(c.message) or None,
                "author": c.author or None,
                "url": c.url or None,
                "pull_request": c.pull_request,
                "taken_out": c.is_taken_out,
            }
            for c in known.commits
        ],
        "files": [
            {"path": f.path, "status": f.status, "added": f.added, "removed": f.removed, "category": group.category}
            for group in known.groups
            for f in group.files
        ],
    }


def _commit(commit: CommitView) -> shapes.Commit:
    return {
        "sha": commit.sha,
        "title": title_of(commit.message) or None,
        "author": commit.author or None,
        "timestamp": time(commit.authored_at) if commit.authored_at else None,
        "url": commit.url or None,
    }


def _service_of(target: Target) -> shapes.Named:
    return {"id": str(target.service_id), "name": target.service}


def _why_nothing(first_at: datetime | None) -> shapes.WhyNothing:
    if first_at is None:
        return {"code": "nothing_deployed", "message": "No deploy to this environment is known."}
    return {"code": "deployed_later", "message": f"The first deploy that is known came later, at {time(first_at)}."}


def _named(pairs: Iterable[tuple[str, str]]) -> list[shapes.Named]:
    return [{"id": id_, "name": name} for id_, name in pairs]


def _text(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)
