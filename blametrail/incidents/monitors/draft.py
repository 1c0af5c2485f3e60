"""What an admin says of a monitor, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit
from uuid import UUID

from blametrail.catalog.services import NO_SERVICE
from blametrail.incidents.monitors.expected import Expected
from blametrail.incidents.states import Severity
from blametrail.kit.errors import Invalid, NotFound

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
SHORTEST, LONGEST = 10, 86_400
LONGEST_TIMEOUT = 60
MOST_HEADERS, LONGEST_HEADERS = 20, 8_000
NOT_YOURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "user-agent"})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


@dataclass(frozen=True, slots=True)
class MonitorDraft:
    """Make it with `checked`. `headers` are None to keep those that are there."""

    name: str
    service_id: UUID
    environment: str
    method: str
    url: str
    expected: Expected
    body_text: str
    interval_seconds: int
    timeout_seconds: int
    latency_ms: int
    severity: Severity
    headers: Mapping[str, str] | None = field(default=None, repr=False)

    @classmethod
    def checked(cls, form: Mapping[str, str]) -> Self:
        """Parse a form of texts; raises Invalid naming each wrong field."""
        wrong: dict[str, str] = {}

        def text(name: str) -> str:
            return form.get(name, "").strip()

        name, environment, method, url, severity = map(text, ("name", "environment", "method", "url", "severity"))
        if not 1 <= len(name) <= 100:
            wrong["name"] = "must have 1 to 100 characters"
        if not 1 <= len(environment) <= 100:
            wrong["environment"] = "must have 1 to 100 characters"
        if (method or "GET") not in METHODS:
            wrong["method"] = f"must be one of {', '.join(METHODS)}"
        if not _is_address(url):
            wrong["url"] = "must be an http or https address, without a name or password in it"
        if severity and severity not in list(Severity):
            wrong["severity"] = f"must be one of {', '.join(Severity)}"
        interval = _number(text("interval_seconds") or "60", "interval_seconds", SHORTEST, LONGEST, wrong)
        timeout = _number(text("timeout_seconds") or "10", "timeout_seconds", 1, LONGEST_TIMEOUT, wrong)
        if timeout > interval and not wrong.keys() & {"interval_seconds", "timeout_seconds"}:
            wrong["timeout_seconds"] = "must not be longer than the interval"
        latency = _number(text("latency_ms") or "0", "latency_ms", 0, LONGEST_TIMEOUT * 1000, wrong)
        if len(form.get("body_text", "")) > 1_000:
            wrong["body_text"] = "must have at most 1,000 characters"
        expected = _expected(text("expected_status") or "200-299", wrong)
        service_id = _service(text("service_id"), wrong)
        headers = _headers(form.get("headers", ""), wrong)
        if wrong:
            raise Invalid(wrong)
        return cls(
            name,
            service_id,
            environment,
            method or "GET",
            url,
            expected,
            text("body_text"),
            interval,
            timeout,
            latency,
            Severity(severity or Severity.ERROR),
            {} if form.get("drop_headers") and not headers else headers,
        )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.username is None
            and parts.password is None
            and (parts.port is None or parts.port > 0)
            and len(url) <= 2048
            and url.isprintable()
            and " " not in url
        )
    except ValueError:
        return False


def _number(text: str, name: str, least: int, most: int, wrong: dict[str, str]) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and least <= int(text) <= most):
        wrong[name] = f"must be a whole number from {least:,} to {most:,}"
        return most
    return int(text)


def _expected(text: str, wrong: dict[str, str]) -> Expected:
    try:
        return Expected.from_text(text)
    except ValueError as error:
        wrong["expected_status"] = str(error)
        return Expected(())


def _service(text: str, wrong: dict[str, str]) -> UUID:
    if not text:
        wrong["service_id"] = "must be a service"
        return UUID(int=0)
    try:
        return UUID(text)
    except ValueError:
        raise NotFound(NO_SERVICE) from None


def _headers(text: str, wrong: dict[str, str]) -> dict[str, str] | None:
    """One header a line; nothing means those that are there. What is wrong is told without a value in it."""
    headers: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            wrong["headers"] = "must have one header a line, such as Authorization: Bearer …, in plain ASCII"
        elif name.lower() in NOT_YOURS:
            wrong["headers"] = f"must not set {name.title()}, which follows from the address and the answer"
        headers[name] = value
    if len(headers) > MOST_HEADERS or len(text) > LONGEST_HEADERS:
        wrong["headers"] = f"must be at most {MOST_HEADERS} headers of {LONGEST_HEADERS:,} characters in all"
    return headers or None
