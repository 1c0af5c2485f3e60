"""What GitHub means when it does not answer a question, and what can be done about it.

Its words are read, never repeated: a text from outside has no place in a message of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httpx

from blametrail.codehosts.access import Access, Credential, Level
from blametrail.codehosts.asking import rate_limited, wait_of
from blametrail.codehosts.host import BadAnswer, HostError, NotPermitted, NotVisible, TokenRefused, UnknownCommit

_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)")
_NO_COMMIT = ("no commit found", "object does not exist", "no common ancestor", "repository is empty")
_NO_DIFF = ("diff is taking too long", "diff exceeded", "too_large", "not_available")
_LIMITS = ("secondary rate limit", "abuse detection", "rate limit exceeded")


class NoDiff(BadAnswer):
    """The changed files are too many, or too long, for GitHub to list them."""

    is_passing = False


class Rejected(BadAnswer):
    """422: the same request will be answered in the same way. `words` are GitHub's, to tell cases apart, not to be shown."""

    is_passing = False

    def __init__(self, host: str, words: str) -> None:
        super().__init__(f"{host} rejected the request (422).", "Check that nothing was changed there in the meantime.")
        self.words = words


def rights_for(access: Access) -> str:
    """What to give a connection so that it may do what its admin chose."""
    level = "write" if access.level == Level.WRITE else "read"
    permissions = f"with the permissions Contents: {level} and Pull requests: {level}."
    if access.credential == Credential.APP:
        return f"Install the app on this repository, {permissions}"
    if access.secret.startswith("github_pat_"):
        return f"Give the token access to this repository, {permissions}"
    return "Give the token the scope repo, or public_repo when no repository is private."


def explainer(host: str, credential: Credential, rights: str = "") -> Callable[[httpx.Response], HostError | None]:
    """The words for one connection, with what to give it where it lacks something; None where those for all hosts will do."""

    def explain(response: httpx.Response) -> HostError | None:
        status, words = response.status_code, _said(response)
        if status in {403, 429} and _is_limit(response, words):
            return rate_limited(host, wait_of(response.headers))
        if any(word in words for word in _NO_DIFF):
            return NoDiff(f"{host} cannot list the changed files: they are too many or too long.", "Look at them there.")
        if status in {404, 409, 422} and any(word in words for word in _NO_COMMIT):
            return _unknown(host, words)
        match status:
            case 401:
                return _refused(host, credential)
            case 403:
                return _forbidden(host, response, words, rights)
            case 404:
                return _not_visible(host, _repository(response), rights)
            case 422 if "temporarily unavailable" not in words:
                return Rejected(host, words)
            case 451:
                return NotVisible(f"{host} shows this to nobody, for legal reasons (451).", "Ask its owner.")
        return None

    return explain


def _said(response: httpx.Response) -> str:
    """The message of a refusal and the codes of its errors, in small letters; nothing when there is none."""
    try:
        body: Any = response.json()
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    parts = [body, *(error for error in (errors if isinstance(errors, list) else []) if isinstance(error, dict))]
    return " ".join(str(part.get(key, "")) for part in parts for key in ("message", "field", "code")).lower()


def _is_limit(response: httpx.Response, words: str) -> bool:
    headers = response.headers
    return (
        response.status_code == 429
        or "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or any(word in words for word in _LIMITS)
    )


def _unknown(host: str, words: str) -> UnknownCommit:
    if "repository is empty" in words:
        return UnknownCommit(f"The repository has no commits at {host}.", "Push to it, or check the service's repository.")
    if "common ancestor" in words:
        return UnknownCommit(
            f"For {host} the two commits have no history in common.", "Check that both are of the same repository."
        )
    return UnknownCommit(
        f"{host} does not know this commit.", "It may have been force-pushed away, or not been pushed; check what was reported."
    )


def _refused(host: str, credential: Credential) -> TokenRefused:
    if credential == Credential.APP:
        return TokenRefused(
            f"{host} refused the app: its key was revoked or is not of this app, or it is installed no more (401).",
            "Check the app's number, make a new private key there and replace the saved one; check this server's clock.",
        )
    return TokenRefused(
        f"{host} refused the token: it is wrong, expired or revoked (401).",
        "Make a new token there and replace the saved one.",
    )


def _forbidden(host: str, response: httpx.Response, words: str, rights: str) -> NotPermitted:
    if "x-github-sso" in response.headers:
        return NotPermitted(
            f"The organization at {host} wants the token to be authorized for its single sign-on (403).",
            "In the list of tokens there choose Configure SSO beside this one, and authorize it for the organization.",
        )
    if "ip allow list" in words:
        return NotPermitted(
            f"The organization at {host} does not take calls from this server's address (403).",
            "Ask its owner to add the address of this server to the organization's IP allow list.",
        )
    if "suspended" in words:
        return NotPermitted(
            f"The app's installation at {host} is suspended (403).", "Ask the one who installed it to resume it."
        )
    if "lifetime" in words:
        return NotPermitted(
            f"The organization at {host} does not take tokens that live this long (403).",
            "Make a new token that ends earlier and replace the saved one.",
        )
    return NotPermitted(f"{host} does not allow this with the connection's rights (403).", rights)


def _not_visible(host: str, repository: str, rights: str) -> NotVisible:
    what = f"the repository {repository}" if repository else "this"
    return NotVisible(
        f"{host} does not have {what}, or does not show it (404).",
        f"Check its name. GitHub answers so for a private repository, too, which the connection may not see. {rights}".strip(),
    )


def _repository(response: httpx.Response) -> str:
    asked = [*response.history, response][0].request.url.raw_path.decode("ascii", "replace")
    found = _REPOSITORY.search(asked)
    return unquote(found[1]) if found else ""
