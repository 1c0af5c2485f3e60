"""Ready-to-paste pieces of CI configuration that report a deploy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

PLACEHOLDER = "__BLAMETRAIL_URL__"

_PACKAGE = Path(__file__).parent.parent
_FILES = {
    "curl": (
        "curl.sh",
        "Needs git, jq and curl: give your deploy script the token as the secret environment variable BLAMETRAIL_TOKEN "
        "and paste this at its end.",
    ),
    "GitHub Actions": (
        "github-actions.yml",
        "Store the token as the repository secret BLAMETRAIL_TOKEN and add this step after your deploy step, in a job that "
        "uses actions/checkout.",
    ),
    "GitLab CI": (
        "gitlab-ci.yml",
        "Store the token as the masked CI/CD variable BLAMETRAIL_TOKEN and add this job to .gitlab-ci.yml.",
    ),
    "Any shell": (
        "shell.sh",
        "Needs only git, curl and awk: give your deploy script the token as the secret environment variable BLAMETRAIL_TOKEN "
        "and paste this at its end.",
    ),
}


@dataclass(frozen=True, slots=True)
class Snippet:
    """`hint` says in a sentence where the token and the text go."""

    title: str
    hint: str
    text: str


def snippets(server_url: str) -> tuple[Snippet, ...]:
    """Every snippet, with the server's address filled in."""
    return tuple(Snippet(title, hint, _filled(_read(file), server_url)) for title, (file, hint) in _FILES.items())


def try_it(server_url: str) -> str:
    """One line that reports a first deploy by hand."""
    return _filled(
        'curl -sS -m 10 -H "Content-Type: application/json" -H "X-Deploy-Token: $BLAMETRAIL_TOKEN" '
        f"""-d '{{"commit_sha": "first-try"}}' "{PLACEHOLDER}/api/ingest/deploy\"""",
        server_url,
    )


def _filled(text: str, server_url: str) -> str:
    return text.replace(PLACEHOLDER, server_url.rstrip("/"))


@cache
def _read(file: str) -> str:
    return (_folder() / file).read_text("utf-8")


def _folder() -> Path:
    packed = _PACKAGE / "_integrations" / "snippets"
    return packed if packed.is_dir() else _PACKAGE.parent / "integrations" / "snippets"
