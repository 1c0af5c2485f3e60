"""Logs: one bounded line an event on standard error, secrets masked, whoever wrote it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from blametrail.kit.redact import MASK, redact, redact_event
from blametrail.settings import settings

VALUE_CHARACTERS, TRACE_CHARACTERS, LINE_CHARACTERS = 2_000, 5_000, 8_000
_CONSIDERED = 4  # times what is kept: a secret that begins in what is kept is masked as a whole

# What moves a cursor, ends a line or turns the direction of writing; lone surrogates cannot be written at all.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_KNOWS_STATE_TOKENS = ("reflex", "socketio", "engineio")


class OneLine(logging.Formatter):
    """For libraries that log by themselves; Reflex writes whole events, cookies included."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.formatTime(record)} {record.levelname} {record.name}"
        line = f"{head} {_bounded(_message(record), VALUE_CHARACTERS)}{self._trace(record)}"
        if record.name.startswith(_KNOWS_STATE_TOKENS):
            line = _UUID.sub(MASK, line)  # whoever knows the token of a tab can join it
        return _cut(_escape(line), LINE_CHARACTERS)

    def _trace(self, record: logging.LogRecord) -> str:
        # Not `exc_text`: another formatter may have left the unmasked words there.
        trace = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        trace += record.stack_info or ""
        return f"\n{_bounded(trace, TRACE_CHARACTERS)}" if trace else ""


def configure_logs() -> None:
    level = logging.getLevelNamesMapping().get(settings().log_level.upper(), logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    handler.setLevel(level)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    _be_the_only_handler(handler)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a handler that fails would print the message as it came
    for noisy in ("httpx", "alembic", "apscheduler"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _shorten_long_text,
            redact_event,
            _bound_values,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
            _finish_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _be_the_only_handler(handler: logging.Handler) -> None:
    """Every record goes to this handler and to no other.

    Engine.IO, Granian and Uvicorn give their loggers handlers of their own, some when a server is made, and tell
    them not to propagate. Removing what is there would miss those that come later; so nobody's handlers are called.
    """

    def deliver(_logger: logging.Logger, record: logging.LogRecord) -> None:
        if record.levelno >= handler.level:
            handler.handle(record)

    logging.Logger.callHandlers = deliver  # type: ignore[method-assign,assignment]
    for name in tuple(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # logging would print the arguments, unmasked
        return f"{record.msg} (its arguments do not fit)"


def _bounded(text: str, most: int) -> str:
    return _cut(redact(_considered(text, most)), most)


def _considered(text: str, most: int) -> str:
    """The text, without its middle when it is so long that masking all of it would take time."""
    half = most * _CONSIDERED // 2
    return text if len(text) <= 2 * half else f"{text[:half]}…{text[-half:]}"


def _cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long, and how much is left out."""
    if len(text) <= most:
        return text
    left_out = f"…({len(text) - most} more)…"
    kept = most - len(left_out)
    return f"{text[: kept - kept // 3]}{left_out}{text[-(kept // 3) :]}"


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _most(key: str) -> int:
    return TRACE_CHARACTERS if key == "exception" else VALUE_CHARACTERS


def _shorten_long_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Before masking, so that a huge value costs no more than a long one."""
    return {key: _considered(value, _most(key)) if isinstance(value, str) else value for key, value in event.items()}


def _bound_values(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _bound(value, _most(key)) for key, value in event.items()}


def _bound(value: Any, most: int) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else _cut(str(value), most)


def _finish_line(_logger: Any, _method: str, line: Any) -> str:
    return _cut(_escape(line), LINE_CHARACTERS)
