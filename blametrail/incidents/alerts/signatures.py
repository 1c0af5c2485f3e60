"""How Sentry, PagerDuty and Grafana sign a message: over the bytes as they came, compared in constant time.

Sentry: HMAC-SHA256 of the body in hex (docs.sentry.io/integrations/integration-platform/webhooks, "Verifying the Signature").
PagerDuty: `v1=` and the same, several separated by commas while a secret is replaced (developer.pagerduty.com, "Verifying
Webhook Signatures"). Grafana: the same without a prefix, over `timestamp:body` where a timestamp header is configured, which
we ask to be called X-Grafana-Alerting-Timestamp (grafana.com/docs, "Configure webhook notifications", HMAC signature).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta

from blametrail.incidents.alerts.shapes import SourceKind
from blametrail.kit.clock import now

SENTRY, PAGERDUTY, GRAFANA = "sentry-hook-signature", "x-pagerduty-signature", "x-grafana-alerting-signature"
GRAFANA_AT = "x-grafana-alerting-timestamp"
WINDOW = timedelta(minutes=5)
Verify = Callable[[str, Mapping[str, str], bytes], bool]


def is_signed_by_sentry(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    return _same(_hex(secret, body), headers.get(SENTRY, ""))


def is_signed_by_pagerduty(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    expected = f"v1={_hex(secret, body)}"
    return any(_same(expected, one.strip()) for one in headers.get(PAGERDUTY, "").split(",")[:10])


def is_signed_by_grafana(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """A signed time must be of the last five minutes, so that nobody sends an old message again."""
    at = headers.get(GRAFANA_AT, "")
    if at:
        is_fresh = at.isascii() and at.isdigit() and abs(now().timestamp() - int(at[:15])) <= WINDOW.total_seconds()
        return _same(_hex(secret, f"{at}:".encode("utf-8", "replace") + body), headers.get(GRAFANA, "")) and is_fresh
    return _same(_hex(secret, body), headers.get(GRAFANA, ""))


VERIFY: dict[SourceKind, tuple[str, Verify]] = {
    SourceKind.SENTRY: (SENTRY, is_signed_by_sentry),
    SourceKind.PAGERDUTY: (PAGERDUTY, is_signed_by_pagerduty),
    SourceKind.GRAFANA: (GRAFANA, is_signed_by_grafana),
}
"""By kind: the header that holds the signature, and how it is made."""


def _hex(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _same(expected: str, presented: str) -> bool:
    return hmac.compare_digest(expected.encode(), presented.encode("utf-8", "replace"))
