"""The closed set of kinds of change events."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    FEATURE_FLAG = "feature_flag"
    CONFIG = "config"
    INFRASTRUCTURE = "infrastructure"
    DATABASE = "database"
    OTHER = "other"
