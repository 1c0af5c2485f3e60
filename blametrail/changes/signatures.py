"""How GitHub and GitLab sign a webhook: over the bytes as they came, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from standardwebhooks import Webhook

GITHUB = "x-hub-signature-256"
GITLAB_TOKEN, GITLAB_SIGNATURE = "x-gitlab-token", "webhook-signature"


def is_presented(headers: Mapping[str, str]) -> bool:
    """Whether there is anything to verify at all."""
    return any(headers.get(name) for name in (GITHUB, GITLAB_TOKEN, GITLAB_SIGNATURE))


def is_signed_by_github(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """`X-Hub-Signature-256: sha256=` and the HMAC-SHA256 of the body in hex."""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _same(expected, headers.get(GITHUB, ""))


def is_signed_by_gitlab(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """By the Standard Webhooks form with its window of five minutes; where that is not used, by the plain token of older
    versions. A wrong signature is not made good by a token."""
    if not headers.get(GITLAB_SIGNATURE):
        return _same(secret, headers.get(GITLAB_TOKEN, ""))
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except Exception:  # whatever is wrong with a signature, it is not one
        return False
    return True


def _same(expected: str, presented: str) -> bool:
    return hmac.compare_digest(expected.encode(), presented.encode("utf-8", "replace"))
