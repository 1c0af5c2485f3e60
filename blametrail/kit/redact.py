"""Secrets out of text before it is kept, logged or shown."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

MASK = "•••"

# Token shapes that their makers publish, and ours; then `name: value` pairs whose name says secret.
_SHAPES = re.compile(
    r"""(?x)
    \b(?:dpl|alt|inv|ses|org)_[A-Za-z0-9_-]{20,}
    | \b(?:gh[pousr]_[A-Za-z0-9]{20,} | github_pat_[A-Za-z0-9_]{20,} | glpat-[A-Za-z0-9_-]{16,})
    | \bxox[abprs]-[A-Za-z0-9-]{10,}
    | \bsk-[A-Za-z0-9_-]{16,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*
    | -----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    | (?<=://)[^/\s:@]{1,200}:[^/\s@]{1,200}(?=@)
    """,
    re.DOTALL,
)
_NAMED = re.compile(
    r"(?i)\b(cookie|set-cookie|authorization|x-deploy-token|password|passwd|secret|api[_-]?key|access[_-]?token)"
    r"""(\\*["']?\s*[:=]\s*\\*["']?)([^"',;}\s\\][^"'\r\n}]*)"""  # backslashes: JSON inside a JSON string
)


def redact(text: str) -> str:
    """The text with everything that looks like a secret masked."""
    return _NAMED.sub(rf"\1\2{MASK}", _SHAPES.sub(MASK, text))


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: every string of a log line, whatever its depth."""
    return {key: _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
