"""Webhooks as GitHub and GitLab send them, and their signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

GITHUB_REPOSITORY = "https://github.com/acme/shop"
GITLAB_PROJECT = "https://gitlab.com/acme/payments/api"


def github_pull_request(number: int = 7, title: str = "Ask for more at once", action: str = "closed", **more: Any) -> bytes:
    """`more` replaces fields of the pull request."""
    at = "2026-11-20T10:00:00Z"
    pull = {
        "id": 279147437,
        "number": number,
        "state": "closed",
        "title": title,
        "user": {"login": "ada", "id": 1, "type": "User"},
        "body": "Fetches orders in pages.",
        "created_at": "2026-11-19T10:00:00Z",
        "updated_at": at,
        "closed_at": at,
        "merged_at": at,
        "merge_commit_sha": "b" * 40,
        "html_url": f"{GITHUB_REPOSITORY}/pull/{number}",
        "labels": [{"id": 1, "name": "performance", "color": "d73a4a", "default": False}],
        "head": {"label": "acme:pages", "ref": "pages", "sha": "a" * 40},
        "base": {"label": "acme:main", "ref": "main", "sha": "c" * 40},
        "merged": True,
        "draft": False,
    }
    given = {"action": action, "number": number, "pull_request": pull | more, "repository": github_repository(), "sender": {}}
    return json.dumps(given).encode()


def github_push() -> bytes:
    given = {"ref": "refs/heads/main", "after": "b" * 40, "commits": [], "repository": github_repository()}
    return json.dumps(given).encode()


def github_ping() -> bytes:
    hook = {"id": 1, "events": ["*"], "config": {"content_type": "json", "secret": "********"}}
    return json.dumps({"zen": "Keep it calm.", "hook_id": 1, "hook": hook, "repository": github_repository()}).encode()


def github_repository() -> dict[str, Any]:
    return {"id": 1, "full_name": "acme/shop", "html_url": GITHUB_REPOSITORY, "private": True}


def gitlab_merge_request(iid: int = 3, action: str = "merge", state: str = "merged", author_id: int = 51, **more: Any) -> bytes:
    """`more` replaces fields of the merge request. The user is who merged, number 1."""
    request = {
        "id": 99,
        "iid": iid,
        "target_branch": "main",
        "source_branch": "pages",
        "author_id": author_id,
        "title": "Ask for more at once",
        "description": "Fetches orders in pages.",
        "created_at": "2026-11-19 10:00:00 UTC",
        "updated_at": "2026-11-20 10:00:00 UTC",
        "state": state,
        "action": action,
        "merge_commit_sha": "b" * 40,
        "last_commit": {"id": "a" * 40, "message": "x", "author": {"name": "Ada", "email": "ada@example.com"}},
        "labels": [{"id": 206, "title": "API"}],
        "url": f"{GITLAB_PROJECT}/-/merge_requests/{iid}",
    }
    given = {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": {"id": 1, "name": "Root", "username": "root"},
        "project": {"id": 1, "path_with_namespace": "acme/payments/api", "web_url": GITLAB_PROJECT},
        "object_attributes": request | more,
        "labels": [],
        "changes": {},
    }
    return json.dumps(given).encode()


def signed_for_github(secret: str, body: bytes, delivery: str = "d-1", event: str = "pull_request") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={digest}",
    }


def signed_for_gitlab(secret: str, body: bytes, delivery: str = "d-1", at: float | None = None) -> dict[str, str]:
    """In the Standard Webhooks form, made by hand."""
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "X-Gitlab-Event": "Merge Request Hook",
        "webhook-id": delivery,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
