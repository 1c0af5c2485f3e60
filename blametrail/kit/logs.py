"""Logs: one line an event on standard error, secrets masked, whoever wrote it."""

from __future__ import annotations

import logging
import sys

import structlog

from blametrail.kit.redact import redact, redact_event
from blametrail.settings import settings


class _Redacting(logging.Formatter):
    """For libraries that log by themselves; Reflex writes whole events, cookies included."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logs() -> None:
    level = logging.getLevelNamesMapping().get(settings().log_level.upper(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "alembic", "apscheduler"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact_event,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
