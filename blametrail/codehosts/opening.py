"""From a connection to the client that asks its host. What writes comes from a connection made for writing, by its type."""

from __future__ import annotations

from blametrail.codehosts.access import Access, Kind, WriteAccess
from blametrail.codehosts.github.client import GitHub, WritableGitHub
from blametrail.codehosts.gitlab.client import GitLab, WritableGitLab
from blametrail.codehosts.host import CodeHost, WritableCodeHost


def open_host(access: Access) -> CodeHost:
    """A client that reads; use it with `async with`."""
    return GitHub(access) if access.kind == Kind.GITHUB else GitLab(access)


def open_for_writing(access: WriteAccess) -> WritableCodeHost:
    """A client that may also open pull requests; use it with `async with`."""
    return WritableGitHub(access) if access.kind == Kind.GITHUB else WritableGitLab(access)
