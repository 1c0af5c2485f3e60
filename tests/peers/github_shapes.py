"""GitHub's JSON from the state of the stand-in: every field that its description requires, whether anybody reads it or not."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha1
from typing import TYPE_CHECKING, Any
from zlib import crc32

if TYPE_CHECKING:
    from tests.peers.github_state import Commit, File, Pull, Repository

Json = dict[str, Any]

_OF_USER = "followers following gists starred subscriptions organizations repos events received_events"
_OF_REPOSITORY = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events "
    "forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones "
    "notifications pulls releases stargazers statuses subscribers subscription tags teams trees clone git ssh svn"
)
_YES = "has_issues has_projects has_wiki has_downloads"
_NO = "fork has_pages has_discussions archived disabled"
_COUNTS = "forks forks_count open_issues open_issues_count size stargazers_count watchers watchers_count network_count subscribers_count"
_FIRST = "2020-01-01T00:00:00Z"


def identity(*parts: object) -> int:
    """A number that belongs to these names."""
    return crc32("/".join(map(str, parts)).encode()) // 4 + 1


def user(api: str, login: str, kind: str = "User") -> Json:
    return {
        **{f"{name}_url": f"{api}/users/{login}/{name}" for name in _OF_USER.split()},
        "login": login,
        "id": identity(login),
        "node_id": f"U_{login}",
        "avatar_url": f"{api}/avatars/{login}",
        "gravatar_id": "",
        "url": f"{api}/users/{login}",
        "html_url": f"{_pages(api)}/{login}",
        "type": kind,
        "site_admin": False,
    }


def own_account(api: str, login: str) -> Json:
    nothing = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
    counts = "followers following public_gists public_repos collaborators disk_usage owned_private_repos private_gists"
    return {
        **user(api, login),
        **nothing,
        **dict.fromkeys(counts.split(), 0),
        "total_private_repos": 0,
        "two_factor_authentication": True,
        "user_view_type": "private",
        "created_at": _FIRST,
        "updated_at": _FIRST,
    }


def repository(api: str, given: Repository) -> Json:
    owner, name = given.path.split("/")
    return {
        **{f"{part}_url": f"{api}/repos/{given.path}/{part}" for part in _OF_REPOSITORY.split()},
        **dict.fromkeys(_YES.split(), True),
        **dict.fromkeys(_NO.split(), False),
        **dict.fromkeys(_COUNTS.split(), 0),
        **dict.fromkeys(("description", "homepage", "language", "mirror_url", "license")),
        "id": given.id,
        "node_id": f"R_{given.id}",
        "name": name,
        "full_name": given.path,
        "owner": user(api, owner, "Organization"),
        "private": given.private,
        "visibility": "private" if given.private else "public",
        "allow_forking": True,
        "is_template": False,
        "topics": [],
        "web_commit_signoff_required": False,
        "default_branch": given.default_branch,
        "url": f"{api}/repos/{given.path}",
        "html_url": f"{_pages(api)}/{given.path}",
        "created_at": _FIRST,
        "updated_at": _FIRST,
        "pushed_at": _FIRST,
    }


def commit(api: str, within: Repository, given: Commit) -> Json:
    url = f"{api}/repos/{within.path}/commits/{given.sha}"
    person = {"name": given.author, "email": f"{given.author.lower()}@example.com", "date": given.at}
    account = user(api, given.login) if given.login else None
    return {
        "sha": given.sha,
        "node_id": f"C_{given.sha}",
        "url": url,
        "html_url": f"{_pages(api)}/{within.path}/commit/{given.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "url": f"{api}/repos/{within.path}/git/commits/{given.sha}",
            "author": person,
            "committer": person,
            "message": given.message,
            "comment_count": 0,
            "tree": {"sha": given.sha, "url": f"{api}/repos/{within.path}/git/trees/{given.sha}"},
            "verification": {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None},
        },
        "author": account,
        "committer": account,
        "parents": [
            {
                "sha": parent,
                "url": f"{api}/repos/{within.path}/commits/{parent}",
                "html_url": f"{_pages(api)}/{within.path}/commit/{parent}",
            }
            for parent in given.parents
        ],
    }


def file(api: str, within: Repository, given: File) -> Json:
    where = f"{api}/repos/{within.path}/contents/{given.filename}"
    return {
        "sha": sha1(given.filename.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(),
        "filename": given.filename,
        "status": given.status,
        "additions": given.additions,
        "deletions": given.deletions,
        "changes": given.additions + given.deletions,
        "blob_url": where,
        "raw_url": where,
        "contents_url": where,
        **({"patch": given.patch} if given.patch is not None else {}),
        **({"previous_filename": given.previous_filename} if given.previous_filename else {}),
    }


def comparison(api: str, within: Repository, base: Commit, head: Commit, merge_base: Commit) -> Json:
    """All of a comparison but its commits and files."""
    url = f"{_pages(api)}/{within.path}/compare/{base.sha}...{head.sha}"
    return {
        "url": f"{api}/repos/{within.path}/compare/{base.sha}...{head.sha}",
        "html_url": url,
        "permalink_url": url,
        "diff_url": f"{url}.diff",
        "patch_url": f"{url}.patch",
        "base_commit": commit(api, within, base),
        "merge_base_commit": commit(api, within, merge_base),
    }


def pull(api: str, within: Repository, given: Pull) -> Json:
    """A pull request as lists have it."""
    url = f"{api}/repos/{within.path}/pulls/{given.number}"
    issue = f"{api}/repos/{within.path}/issues/{given.number}"
    page = f"{_pages(api)}/{within.path}/pull/{given.number}"
    links = {
        "comments": f"{issue}/comments",
        "commits": f"{url}/commits",
        "statuses": f"{api}/repos/{within.path}/statuses/{given.head_sha}",
        "html": page,
        "issue": issue,
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/repos/{within.path}/pulls/comments{{/number}}",
        "self": url,
    }
    return {
        "url": url,
        "id": identity(within.path, given.number),
        "node_id": f"PR_{given.number}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": links[name] for name in ("issue", "comments", "commits", "statuses", "review_comments")},
        "review_comment_url": links["review_comment"],
        "_links": {name: {"href": href} for name, href in links.items()},
        "number": given.number,
        "state": "open" if given.state == "open" else "closed",
        "locked": False,
        "title": given.title,
        "user": user(api, given.author) if given.author else None,
        "body": given.body,
        "labels": [_label(api, within, name) for name in given.labels],
        "created_at": given.created_at,
        "updated_at": given.updated_at,
        "closed_at": None if given.state == "open" else given.updated_at,
        "merged_at": given.merged_at,
        "merge_commit_sha": given.merge_sha or given.head_sha,
        "head": _side(api, within, given.head, given.head_sha),
        "base": _side(api, within, given.base, given.base_sha),
        "draft": given.draft,
        "author_association": "MEMBER",
        **dict.fromkeys(("assignee", "milestone", "auto_merge")),
    }


def full_pull(api: str, within: Repository, given: Pull, files: Iterable[File]) -> Json:
    """A pull request as asked for by its number."""
    files = list(files)
    return {
        **pull(api, within, given),
        "merged": given.merged_at is not None,
        "merged_by": user(api, given.author) if given.merged_at and given.author else None,
        "mergeable": None,
        "mergeable_state": "unknown",
        "maintainer_can_modify": False,
        "comments": 0,
        "review_comments": 0,
        "commits": len(given.commits),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def ref(api: str, within: Repository, branch: str) -> Json:
    sha = within.branches[branch]
    return {
        "ref": f"refs/heads/{branch}",
        "node_id": f"REF_{branch}",
        "url": f"{api}/repos/{within.path}/git/refs/heads/{branch}",
        "object": {"type": "commit", "sha": sha, "url": f"{api}/repos/{within.path}/git/commits/{sha}"},
    }


def installation(api: str, id_: int, app_id: int, account: str, permissions: dict[str, str], suspended_at: str | None) -> Json:
    return {
        "id": id_,
        "account": user(api, account, "Organization"),
        "access_tokens_url": f"{api}/app/installations/{id_}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{_pages(api)}/organizations/{account}/settings/installations/{id_}",
        "app_id": app_id,
        "app_slug": f"app-{app_id}",
        "target_id": identity(account),
        "target_type": "Organization",
        "repository_selection": "selected",
        "permissions": permissions,
        "events": ["push", "pull_request"],
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": suspended_at,
        "created_at": _FIRST,
        "updated_at": _FIRST,
    }


def made_app(api: str, app_id: int, pem: str, webhook_secret: str) -> Json:
    return {
        "id": app_id,
        "slug": f"app-{app_id}",
        "node_id": f"A_{app_id}",
        "owner": user(api, "acme", "Organization"),
        "name": f"App {app_id}",
        "description": "",
        "external_url": "https://blametrail.example.com",
        "html_url": f"{_pages(api)}/apps/app-{app_id}",
        "created_at": _FIRST,
        "updated_at": _FIRST,
        "permissions": {"contents": "read", "metadata": "read", "pull_requests": "read"},
        "events": ["pull_request", "push"],
        "client_id": f"Iv1.{app_id}",
        "client_secret": "client-secret",
        "webhook_secret": webhook_secret,
        "pem": pem,
    }


def _side(api: str, within: Repository, branch: str, sha: str) -> Json:
    owner = within.path.split("/")[0]
    return {
        "label": f"{owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": user(api, owner, "Organization"),
        "repo": repository(api, within),
    }


def _label(api: str, within: Repository, name: str) -> Json:
    return {
        "id": identity(name),
        "node_id": f"L_{identity(name)}",
        "url": f"{api}/repos/{within.path}/labels/{name}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


def _pages(api: str) -> str:
    return api.removesuffix("/api/v3")
