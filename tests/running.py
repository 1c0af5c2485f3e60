"""A real server in a process of its own, and the commands that talk to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from blametrail.kit.db import Database

ROOT = Path(__file__).parent.parent
BLAMETRAIL = Path(sys.executable).with_name("blametrail")
PASSWORD = "correct horse battery"
HIGH_LIMITS = {f"BLAMETRAIL_{name}_RATE_LIMIT": "1000000/minute" for name in ("INGEST", "TEST", "ALERT")}


@dataclass
class Server:
    """`blametrail serve` on a free port of loopback, with a data folder and settings of its own."""

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.log = self.data_dir.parent / f"{self.data_dir.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        own = {"BLAMETRAIL_DATA_DIR": str(self.data_dir), "BLAMETRAIL_PORT": str(self.port)}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BLAMETRAIL_", "REFLEX_"))}
        return kept | own | self.settings

    def start(self, seconds: float = 30) -> Server:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([str(BLAMETRAIL), "serve"], env=self.environment, stdout=log, stderr=log, cwd=ROOT)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.log.read_text()[-4000:]}")
            try:
                if httpx.get(f"{self.url}/livez", timeout=1).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError(f"the server did not answer in {seconds} s:\n{self.log.read_text()[-4000:]}")

    def kill(self, sign: int = signal.SIGKILL) -> int:
        """End the process and answer its exit code."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(30)

    def run(self, *arguments: str, typed: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """A `blametrail` command with this server's settings."""
        return subprocess.run(
            [str(BLAMETRAIL), *arguments],
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=check,
            cwd=ROOT,
        )

    def found(self, email: str = "alice@example.com", organization: str = "Acme") -> None:
        """The first organization and its owner, as `blametrail init` makes them; a command would take seconds to begin."""
        from blametrail.accounts.organizations import found_first
        from blametrail.kit.db import EVERY_ORGANIZATION

        with self.database() as db:
            db.write_now(EVERY_ORGANIZATION, found_first, organization=organization, name="", email=email, password=PASSWORD)

    def service(
        self, name: str, environment: str = "production", *, repository: str = "", owner_team: str = ""
    ) -> dict[str, Any]:
        """A service of Acme, as `blametrail service create` makes it: `id`, `name`, `deploy_token`."""
        from sqlmodel import select

        from blametrail.accounts.tables import Organization
        from blametrail.catalog.services import ServiceDraft, create
        from blametrail.kit.db import EVERY_ORGANIZATION
        from blametrail.kit.keys import load_key_ring

        keys = load_key_ring(self.settings.get("BLAMETRAIL_SECRET_KEYS", ""), self.data_dir)
        draft = ServiceDraft.checked(
            name=name, environment=environment, type="web", owner_team=owner_team, repositories=repository
        )
        with self.database() as db:
            acme = db.read_now(
                EVERY_ORGANIZATION, lambda s: s.exec(select(Organization.id).where(Organization.name == "Acme")).one()
            )
            id_, token = db.write_now(acme, create, keys, draft, "command line")
        return {"id": str(id_), "name": name, "deploy_token": token}

    def service_by_command(self, name: str, environment: str = "production", *more: str) -> dict[str, Any]:
        """A service by the command line: `id`, `name`, `deploy_token`."""
        given = ("--environment", environment, "--type", "web", "--organization", "Acme", *more)
        made: dict[str, Any] = json.loads(self.run("service", "create", name, "--json", *given).stdout)
        return made

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Its database, as another process sees it."""
        from blametrail.kit.db import Database

        url = self.settings.get("BLAMETRAIL_DATABASE_URL", "").replace("postgresql://", "postgresql+psycopg://")
        database = Database(url or f"sqlite:///{self.data_dir / 'blametrail.db'}")
        try:
            yield database
        finally:
            database.close()

    def post(self, token: str, body: Any = None, *, key: str | None = None, route: str = "", **more: Any) -> httpx.Response:
        """A deploy post; `body` is sent as JSON."""
        headers = {"X-Deploy-Token": token, **({"X-Idempotency-Key": key} if key is not None else {})}
        return httpx.post(
            f"{self.url}/api/ingest/deploy{route}",
            json=body if body is not None else {"commit_sha": "abc1234"},
            headers=headers,
            timeout=30,
            **more,
        )

    def form(self, client: httpx.Client, path: str, **fields: Any) -> httpx.Response:
        """A form as our own pages send it."""
        return client.post(f"{self.url}/form/{path}", json=fields, headers={"Origin": self.url}, timeout=30)

    def sign_in(self, email: str = "alice@example.com", password: str = PASSWORD) -> httpx.Client:
        """A client with a session cookie."""
        client = httpx.Client()
        assert self.form(client, "login", email=email, password=password).status_code == 200
        return client


@contextmanager
def running(data_dir: Path, **settings: str) -> Iterator[Server]:
    """A server for the duration of a block; its log is printed when the block fails."""
    server = Server(data_dir, HIGH_LIMITS | database_settings() | settings)
    try:
        yield server.start()
    except BaseException:
        print(server.log.read_text()[-6000:])
        raise
    finally:
        if server.process and server.process.poll() is None:
            server.kill(signal.SIGTERM)
        drop_database(server.settings)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def database_settings(copy_of: str = "") -> dict[str, str]:
    """A new PostgreSQL database when the tests run on PostgreSQL, else nothing: SQLite. It is empty, or like the one at the
    address `copy_of`, which nobody may be using."""
    base = os.environ.get("TEST_POSTGRES_URL")
    if not base:
        return {}
    import psycopg

    name = f"t{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {copy_of.rpartition('/')[2]}" if copy_of else ""))
    return {"BLAMETRAIL_DATABASE_URL": f"{base}/{name}"}


def drop_database(settings: dict[str, str]) -> None:
    url = settings.get("BLAMETRAIL_DATABASE_URL", "")
    if url and os.environ.get("TEST_POSTGRES_URL"):
        import psycopg

        base, _, name = url.rpartition("/")
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def chromium() -> str:
    """Debian's or any other Chromium of this machine."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError("no Chromium: apt-get install chromium")
    return found
