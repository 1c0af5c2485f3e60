"""Links to repositories as people paste them, and addresses on their code host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

GITHUB = "https://github.com"

_PATH = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")


@dataclass(frozen=True, slots=True)
class RepositoryLink:
    """`path` is `owner/repo` or GitLab's `group/…/project`; `path_prefix` is the folder in a monorepo."""

    host_url: str
    path: str
    path_prefix: str = ""

    def __str__(self) -> str:
        where = self.path if self.host_url == GITHUB else f"{self.host_url}/{self.path}"
        return f"{where} {self.path_prefix}" if self.path_prefix else where


def parse_repository(line: str) -> RepositoryLink:
    """Read `owner/repo`, `https://host/group/project[.git]` or `git@host:group/project.git`, then an
    optional folder after a space. Raises ValueError in words."""
    address, _, prefix = line.strip().partition(" ")
    prefix = prefix.strip().strip("/")
    if address.startswith("git@") and ":" in address:
        host, _, path = address[4:].partition(":")
        host_url = f"https://{host}"
    elif "://" in address:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            raise ValueError(f"{address} must be owner/repo or an http(s) address without a password")
        host_url, path = f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
    else:
        host_url, path = GITHUB, address
    path = path.removesuffix(".git").strip("/")
    if not _PATH.fullmatch(path) or ".." in path.split("/") or len(path) > 255:
        raise ValueError(f"{address} must be owner/repo or the address of a repository")
    if ".." in prefix.split("/") or len(prefix) > 255:
        raise ValueError(f"{prefix} must be a folder inside the repository")
    return RepositoryLink(host_url, path, prefix)


def compare_url(link: RepositoryLink, base: str, head: str) -> str:
    """The page of the code host that shows what lies between two commits."""
    span = f"{quote(base, safe='')}...{quote(head, safe='')}"
    return f"{link.host_url}/{link.path}/{_dash(link)}compare/{span}"


def commit_url(link: RepositoryLink, sha: str) -> str:
    return f"{link.host_url}/{link.path}/{_dash(link)}commit/{quote(sha, safe='')}"


def _dash(link: RepositoryLink) -> str:
    """GitLab puts `-/` before its pages; GitHub and its Enterprise Server do not."""
    return "-/" if "gitlab" in link.host_url or link.path.count("/") > 1 else ""
