"""Which pull request a commit says it came by: what merging on GitHub and GitLab writes into messages.

Only the forms that the hosts themselves write count. A number anywhere else in a message is an issue, a
reference or a guess, and a wrong pull request would be evidence that lies.
"""

from __future__ import annotations

import re

_MERGE = re.compile(r"Merge pull request #(\d{1,9}) from \S")
_SQUASH = re.compile(r"\(#(\d{1,9})\)\s*$")
_GITLAB = re.compile(r"^See merge request (?:[\w.-]+(?:/[\w.-]+)+)?!(\d{1,9})\s*$", re.MULTILINE)


def pull_request_of(message: str) -> int | None:
    """The number of the pull or merge request that brought a commit, or None when its message names none."""
    title, _, body = message.strip().partition("\n")
    if found := _MERGE.match(title) or _SQUASH.search(title):
        return int(found.group(1))
    numbers = _GITLAB.findall(body)
    return int(numbers[-1]) if numbers else None  # a merge of a merge quotes the earlier line above its own
