"""What GitLab means when it does not answer a question, and what can be done about it.

Its words are read, never repeated: a text from outside has no place in a message of ours.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import httpx

from blametrail.codehosts.host import BadAnswer, HostError, NotPermitted, NotVisible, TokenRefused, UnknownCommit, Unreachable

_PROJECT = re.compile(r"/projects/([^/?]+)")
_SCOPES = re.compile(r"[a-z_]{1,40}(?: [a-z_]{1,40}){0,9}")
_NO_COMMIT = ("404 commit ", "404 ref ", "404 sha ", "invalid reference name")


class SomethingMissing(NotVisible):
    """A 404 that does not say what is missing."""


class NotAccepted(BadAnswer):
    """What was sent is wrong, and stays so."""

    is_passing = False


def explain(response: httpx.Response) -> HostError | None:
    """The words for a refused response; None where those for all hosts will do."""
    words, asked = said(response), _asked(response)
    if _origin(response.request.url) != _origin(asked):
        return _elsewhere(asked.host, _origin(response.request.url))
    if any(word in words for word in _NO_COMMIT):
        return unknown_commit(asked.host)
    match response.status_code:
        case 401:
            return _refused(asked.host, words)
        case 403:
            return _forbidden(asked.host, response, words)
        case 404:
            return _missing(asked, words)
        case 400 | 422 if "already exists" not in words:
            return NotAccepted(
                f"{asked.host} does not take what was sent ({response.status_code}).", "Look at its names there."
            )
    return None


def said(response: httpx.Response) -> str:
    """What a refusal says, in small letters; nothing when it is not in GitLab's form."""
    given = _given(response)
    return " ".join(str(given.get(key, "")) for key in ("message", "error", "error_description")).lower()


def unknown_commit(host: str) -> UnknownCommit:
    return UnknownCommit(
        f"{host} does not know this commit.", "It may have been force-pushed away, or not been pushed; check what was reported."
    )


def _refused(host: str, words: str) -> TokenRefused:
    why = (
        "it has expired"
        if "expired" in words
        else "it was revoked"
        if "revoked" in words
        else "it is wrong, expired or revoked"
    )
    return TokenRefused(f"{host} refused the token: {why} (401).", "Make a new token there and replace the saved one.")


def _forbidden(host: str, response: httpx.Response, words: str) -> NotPermitted:
    if "insufficient_scope" in words:
        scopes = str(_given(response).get("scope", ""))
        needed = " or ".join(scopes.split()) if _SCOPES.fullmatch(scopes) else "api or read_api"
        return NotPermitted(
            f"The token lacks a scope at {host} (403): this needs {needed}.",
            "Make a new token with it there and replace the saved one.",
        )
    return NotPermitted(
        f"{host} does not allow this to the token's account (403).",
        "Make the account a member of the project: a Reporter may read code, a Developer may push and open merge requests.",
    )


def _missing(asked: httpx.URL, words: str) -> NotVisible:
    kind, what = (NotVisible, "") if "404 project" in words else (SomethingMissing, "this of ")
    return kind(
        f"{asked.host} does not have {what}{_project(asked)}, or does not show it (404).",
        "Check its path. GitLab answers the same for a project that the token may not see:"
        " make the token's account a member of it, as Reporter at least.",
    )


def _elsewhere(host: str, led_to: str) -> Unreachable:
    """It was asked without the token: no other server is shown it."""
    return Unreachable(
        f"{host} redirects to {led_to}, which was not shown the token.",
        "Make the connection with that address if it is your GitLab's.",
        is_passing=False,
    )


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _asked(response: httpx.Response) -> httpx.URL:
    return [*response.history, response][0].request.url


def _project(asked: httpx.URL) -> str:
    found = _PROJECT.search(asked.raw_path.decode("ascii", "replace"))
    return f"the project {unquote(found[1])}" if found else "what was asked for"


def _given(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
