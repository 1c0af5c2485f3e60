"""emulate (npm), a GitHub that nobody here wrote, behind a proxy that gives it the paths of an Enterprise Server."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.running import ROOT, free_port

PROGRAM = ROOT / ".tools/node_modules/emulate/dist/index.js"
LOOPBACK = Path(__file__).with_name("loopback.cjs")
TOKEN = "tok_admin"
APP_ID, INSTALLATION_ID = "12345", "100"


@dataclass(frozen=True)
class Emulate:
    """`url` is the address of a connection; `admin` writes to it directly."""

    url: str
    admin: httpx.Client

    def put(self, repository: str, path: str, text: str, message: str, branch: str = "main") -> str:
        """Write a file and answer the commit's sha."""
        where = f"/repos/{repository}/contents/{path}"
        old = self.admin.get(where, params={"ref": branch})
        sha = {"sha": old.json()["sha"]} if old.status_code == 200 else {}
        content = base64.b64encode(text.encode()).decode()
        made = self.admin.put(where, json={"message": message, "content": content, "branch": branch, **sha})
        made.raise_for_status()
        found: str = made.json()["commit"]["sha"]
        return found

    def post(self, path: str, body: dict[str, Any]) -> Any:
        made = self.admin.post(path, json=body)
        made.raise_for_status()
        return made.json()


@contextmanager
def emulating(folder: Path, private_key: str) -> Iterator[Emulate]:
    """Two public repositories, a private one, and an app that is installed with a key of ours."""
    port = free_port()
    with _proxy(port) as proxy:
        seed = folder / "seed.json"  # JSON is YAML
        seed.write_text(json.dumps(_seed(private_key)))
        url = f"http://127.0.0.1:{proxy}"
        command = ["node", "--require", str(LOOPBACK), str(PROGRAM), "start", "--service", "github"]
        command += ["--port", str(port), "--seed", str(seed), "--base-url", f"{url}/api/v3"]
        log = folder / "emulate.log"
        with (
            log.open("wb") as told,
            subprocess.Popen(command, stdout=told, stderr=told, cwd=folder, start_new_session=True) as process,
        ):
            try:
                _wait(f"http://127.0.0.1:{port}/repos/admin/shop", process, log)
                headers = {"Authorization": f"Bearer {TOKEN}"}
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as admin:
                    yield Emulate(url, admin)
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # Node may be a child of what starts it


def _seed(private_key: str) -> dict[str, Any]:
    installation = {"installation_id": int(INSTALLATION_ID), "account": "acme", "repository_selection": "all"}
    app = {
        "app_id": int(APP_ID),
        "slug": "blametrail",
        "name": "blametrail",
        "private_key": private_key,
        "permissions": {"contents": "write", "pull_requests": "write", "metadata": "read"},
        "events": [],
        "installations": [installation],
    }
    repositories = [("admin", "shop", False), ("admin", "many", False), ("acme", "api", True)]
    return {
        "tokens": {TOKEN: {"login": "admin", "scopes": ["repo", "user"]}},
        "github": {
            "users": [{"login": "admin", "name": "Admin", "email": "admin@example.com"}],
            "orgs": [{"login": "acme", "name": "Acme"}],
            "repos": [{"owner": o, "name": n, "private": p, "auto_init": True} for o, n, p in repositories],
            "apps": [app],
        },
    }


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(url, timeout=1)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"emulate did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def _proxy(port: int) -> Iterator[int]:
    """Takes `/api/v3/…` and asks emulate for `/…`; nothing else is there."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if not self.path.startswith("/api/v3/"):
                return self._send(404, [], b"{}")
            asked = HTTPConnection("127.0.0.1", port)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            asked.request(self.command, self.path.removeprefix("/api/v3"), body or None, headers)
            answer = asked.getresponse()
            skipped = {"connection", "transfer-encoding", "content-length", "keep-alive", "date"}
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
            return self._send(answer.status, kept, answer.read())

        do_POST = do_GET

        def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
            self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
