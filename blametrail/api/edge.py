"""What holds for every answer: security headers, a content policy, how long files may be cached."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_INLINE_SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Edge:
    """ASGI wrapper around the whole application."""

    def __init__(self, app: ASGIApp, pages: Path, over_tls: bool) -> None:
        self._app = app
        self._policy = content_policy(pages)
        self._over_tls = over_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope["path"], MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _add_headers(self, path: str, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        # A page that is not modified has no content type, and its headers replace those of the cached one.
        is_data = headers.get("content-type", "").startswith("application/json")
        headers.setdefault("Content-Security-Policy", "default-src 'none'" if is_data else self._policy)
        if self._over_tls:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if path.startswith("/assets/"):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            headers.setdefault("Cache-Control", "no-cache")


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
