"""What holds for every answer: security headers, a content policy, how long files may be cached."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)

_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]
_POLICY = b"content-security-policy"


_API = ("/api/", "/form/", "/livez", "/readyz")


class Edge:
    """The outermost ASGI application: the API goes to its routes, all else to the pages' framework."""

    def __init__(self, api: ASGIApp, framework: ASGIApp, pages: Path, over_tls: bool) -> None:
        self._api, self._framework = api, framework
        common = [*_HEADERS, *([(b"strict-transport-security", b"max-age=31536000")] if over_tls else [])]
        self._for_data = [*common, (_POLICY, b"default-src 'none'")]
        self._for_pages = [*common, (_POLICY, content_policy(pages).encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        app = self._api if scope["path"].startswith(_API) else self._framework

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = dict(message["headers"])
                if (place := sent.get(b"location", b"")).startswith((b"http://", b"https://")):
                    # Our own redirects stay here: the framework takes the host from the request, which anybody can name.
                    message["headers"] = [(n, v) for n, v in message["headers"] if n != b"location"]
                    message["headers"].append((b"location", b"/" + place.split(b"/", 3)[3].lstrip(b"/")))
                message["headers"] = [*message["headers"], *self._more(scope["path"], message["status"], sent)]
            await send(message)

        await app(scope, receive, send_with_headers)

    def _more(self, path: str, status: int, sent: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        # A page that is not modified has no content type, and its headers replace those of the cached one.
        more = self._for_data if sent.get(b"content-type") == b"application/json" else self._for_pages
        if _POLICY in sent:  # a page of ours with a stricter one
            more = [(name, value) for name, value in more if name != _POLICY]
        if b"cache-control" in sent:
            return more
        lasting = b"public, max-age=31536000, immutable" if path.startswith("/assets/") and status < 400 else b"no-cache"
        return [*more, (b"cache-control", lasting)]


def content_policy(pages: Path) -> str:
    """Only our own scripts run: files of ours, and the inline ones of the compiled pages by their hash."""
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for page in pages.rglob("*.html")
        for script in _INLINE_SCRIPT.findall(page.read_text())
    }
    scripts = " ".join(f"'sha256-{value}'" for value in sorted(hashes))
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
