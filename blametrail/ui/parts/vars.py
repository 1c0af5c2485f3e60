"""Questions to ask of a state's vars inside a component, where Python's own `len` and `in` cannot."""

from __future__ import annotations

from typing import Any


def count(items: Any) -> Any:
    """How many items a list var has."""
    return items.length()


def has_key(mapping: Any, key: str) -> Any:
    """Whether a dict var holds a key."""
    return mapping.contains(key)
