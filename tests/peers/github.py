"""A stand-in for GitHub Enterprise Server on loopback: what it answers is scripted state, shaped as GitHub's own description says.

    with FakeGitHub() as github:
        github.add_token("secret", scopes=("repo",))
        shop = github.add_repository("acme/shop", private=True)
        base = shop.commit("Start")
        number = shop.merge("Ask for more at once", File("app/db.py"), how="squash")
        head = shop.branches["main"]

`github.url` is the address of a connection. Its server has to be allowed to call it: BLAMETRAIL_ALLOWED_PRIVATE_HOSTS=127.0.0.1.
It runs in threads of the test's own process, beside whatever server is tested.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.peers.github_answers import API, Question, Refusal, Reply
from tests.peers.github_state import READ, WRITE, App, File, Installed, Repository, Token

__all__ = ["READ", "WRITE", "App", "FakeGitHub", "File", "Reply", "Repository", "Seen"]


@dataclass(frozen=True)
class Seen:
    """A request and what was answered; `path` is below the API and as it was sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any


class FakeGitHub:
    """See the module. What it is asked is in `requests`; `remaining` is what is left of the rate limit, of which answers by 304
    take nothing; `allows_anybody` is whether it answers without a token."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.tokens: dict[str, Token] = {}
        self.apps: dict[int, App] = {}
        self.codes: dict[str, App] = {}
        self.requests: list[Seen] = []
        self.remaining = 5_000
        self.resets_at = datetime.now(UTC) + timedelta(hours=1)
        self._moved: dict[str, str] = {}
        self._out_of_turn: list[tuple[str, list[Reply]]] = []
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def api(self) -> str:
        return self.url + API

    def add_repository(self, path: str, *, private: bool = False, default_branch: str = "main") -> Repository:
        repository = self.repositories[path] = Repository(path, private, default_branch)
        return repository

    def rename(self, old: str, new: str) -> None:
        """The old name leads to the new one, by a redirect as GitHub makes it."""
        repository = self.repositories[new] = self.repositories.pop(old)
        repository.path = new
        self._moved[old] = new

    def add_token(
        self,
        text: str,
        *,
        login: str = "ada",
        scopes: tuple[str, ...] | None = ("repo",),
        permissions: dict[str, str] | None = None,
        sees: Iterable[str] | None = None,
        expires: str = "",
    ) -> None:
        """A classic token; one with fine-grained permissions when `scopes` is None. `expires` is written as GitHub writes it."""
        self.tokens[text] = Token(login, scopes, permissions or dict(WRITE), frozenset(sees) if sees else None, expires)

    def revoke(self, text: str) -> None:
        self.tokens.pop(text, None)

    def add_app(self, app_id: int = 7, installation_id: int = 70, account: str = "acme", **installed: Any) -> App:
        """An app, installed once."""
        app = self.apps[app_id] = App(app_id, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        app.installations[installation_id] = Installed(account, **{"permissions": dict(READ), **installed})
        return app

    def offer_manifest(self, code: str, app_id: int = 8) -> App:
        """The code that a browser comes back with after an app was made from a manifest; good for one conversion."""
        app = self.codes[code] = App(app_id, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        return app

    def answer(self, path: str, *replies: Reply) -> None:
        """The next requests whose path contains this get these answers, one each."""
        with self._lock:
            self._out_of_turn.append((path, list(replies)))

    def limit_rate(self, *, resets_in: timedelta = timedelta(minutes=10)) -> None:
        """Nothing more until then."""
        self.remaining, self.resets_at = 0, datetime.now(UTC) + resets_in

    def limit_secondary(self, path: str = "", *, retry_after: int | None = 30, times: int = 1) -> None:
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.answer(path, *[Reply(403, {"message": message}, headers)] * times)

    def hang(self, path: str = "", times: int = 1) -> None:
        """Take requests and never answer."""
        self.answer(path, *[Reply(hold=True)] * times)

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[Reply, bool]:
        """The answer to a request, and whether it carries headers of the API."""
        with self._lock:
            scripted = next((replies.pop(0) for part, replies in self._out_of_turn if part in target and replies), None)
            if scripted:
                reply = scripted
            else:
                try:
                    reply = Question(self, method, target, headers, body).answer()
                except Refusal as refusal:
                    reply = refusal.reply
            parts = urlsplit(target)
            sent = json.loads(body) if body else None
            self.requests.append(
                Seen(
                    method, parts.path.removeprefix(API), dict(parse_qsl(parts.query)), headers, sent, reply.status, reply.body
                )
            )
        if reply.hold:
            self._closed.wait()
        elif reply.after:
            self._closed.wait(reply.after)
        return reply, scripted is None

    def moved(self, path: str) -> str | None:
        return self._moved.get(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply, is_usual = github.respond(self.command, self.path, headers, self.rfile.read(length))
            limits = {
                "X-RateLimit-Limit": "5000",
                "X-RateLimit-Remaining": str(max(github.remaining, 0)),
                "X-RateLimit-Reset": str(int(github.resets_at.timestamp())),
            }
            self._send(reply, limits if is_usual else {})

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def _send(self, reply: Reply, limits: dict[str, str]) -> None:
            body = (
                reply.body if isinstance(reply.body, bytes) else b"" if reply.body is None else json.dumps(reply.body).encode()
            )
            headers = {"Content-Type": "application/json; charset=utf-8", **limits, **reply.headers}
            if reply.status != 304:
                headers["Content-Length"] = str(len(body))
            lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", *(f"{n}: {v}" for n, v in headers.items())]
            # In one piece: a second one would wait for the first to be acknowledged.
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if reply.status == 304 else body))

        def log_message(self, *_: object) -> None:
            pass

    return Handler
