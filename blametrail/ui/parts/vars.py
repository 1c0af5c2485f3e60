"""Vars of states: questions to ask of them inside a component, where Python's own `len` and `in` cannot;
and filling many at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx


def count(items: Any) -> Any:
    """How many items a list var has."""
    return items.length()


def has_key(mapping: Any, key: str) -> Any:
    """Whether a dict var holds a key."""
    return mapping.contains(key)


async def fill(page: rx.State, kind: type[rx.State], values: Mapping[str, Any]) -> None:
    """Give vars of the tab's state of a kind their values; only what differs is sent to the browser."""
    state = page if type(page) is kind else await page.get_state(kind)
    for name, value in values.items():
        if getattr(state, name) != value:
            setattr(state, name, value)
