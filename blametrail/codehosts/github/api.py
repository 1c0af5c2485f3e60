"""Where GitHub's API is, and what every request to it says."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from blametrail.catalog.repositories import GITHUB

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


def api_url(host_url: str) -> str:
    """GitHub.com has its API at a name of its own, Enterprise Server below a path.
    https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api"""
    return "https://api.github.com" if host_url == GITHUB else f"{host_url}/api/v3"


def name_of(host_url: str) -> str:
    return urlsplit(host_url).hostname or host_url


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}
