"""Text from outside, made safe for a terminal."""

from __future__ import annotations

LONGEST = 500


def printable(text: object) -> str:
    """One line without control characters, which could steer a terminal or forge further lines."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:LONGEST]
