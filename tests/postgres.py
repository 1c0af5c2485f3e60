"""Run a command beside a PostgreSQL server of its own: `python -m tests.postgres BIN_FOLDER -m pytest …`."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.running import free_port


def main(binaries: Path, command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="blametrail-pg-") as folder:
        data, port = Path(folder) / "data", free_port()
        as_user = _ordinary_user(Path(folder))
        _run(as_user, binaries / "initdb", "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        _run(as_user, binaries / "pg_ctl", "-D", data, "-w", "-l", Path(folder) / "log", "-o", options, "start")
        try:
            url = f"postgresql://test@127.0.0.1:{port}"
            return subprocess.run(
                [sys.executable, *command], check=False, env=os.environ | {"TEST_POSTGRES_URL": url}
            ).returncode
        finally:
            _run(as_user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def _ordinary_user(folder: Path) -> dict[str, int]:
    """PostgreSQL refuses to run as root: the account that its package made, else nobody."""
    if os.getuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = names.get("postgres") or names["nobody"]
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid}


def _run(as_user: dict[str, int], *command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, **as_user)  # type: ignore[call-overload]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
