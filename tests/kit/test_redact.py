"""What looks like a secret is masked; what does not is left alone."""

from __future__ import annotations

import pytest

from blametrail.kit.redact import redact

RANDOM = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7k"


@pytest.mark.parametrize(
    "secret",
    [
        f"dpl_{RANDOM}",
        f"ses_{RANDOM}",
        f"inv_{RANDOM}",
        f"ghp_{RANDOM}",
        f"github_pat_{RANDOM}",
        f"glpat-{RANDOM}",
        f"xoxb-{RANDOM}",
        f"sk-{RANDOM}",
        "AKIAIOSFODNN7EXAMPLE",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{RANDOM}",
    ],
)
def test_it_masks_tokens(secret: str) -> None:
    assert secret not in redact(f"before {secret} after")
    assert redact(f"before {secret} after").startswith("before ")


@pytest.mark.parametrize("line", ["Cookie: a=b; c=d", 'password="hunter22"', "X-Deploy-Token: x", "https://me:pass@host/x"])
def test_it_masks_named_values(line: str) -> None:
    assert redact(line) != line


@pytest.mark.parametrize(
    "text", ["Retry payments on timeout", "commit 3f2a9c1", "https://example.com/a?b=c", "sha256:" + "a" * 64]
)
def test_it_leaves_words_alone(text: str) -> None:
    assert redact(text) == text
