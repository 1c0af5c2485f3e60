"""The compiled pages: where they are, and building them when their sources changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from reflex_base.plugins import Plugin

PACKAGE = Path(__file__).parent
SOURCE = PACKAGE.parent
WHEEL_PROJECT = PACKAGE / "_project"

_BACKEND_URL = re.compile(r"([`\"'])(ws|http)s?://[^/`\"']+(/[^`\"']*)\1")
_BUILD_ENVIRONMENT = {
    "REFLEX_TELEMETRY_ENABLED": "false",
    "REFLEX_CHECK_LATEST_VERSION": "false",
    "REFLEX_USE_SYSTEM_BUN": "1",
}


class SameOriginPlugin(Plugin):  # type: ignore[misc]
    """Make the compiled pages talk to whatever origin served them.

    Reflex writes `ws://localhost:<port>/_event` into one chunk at build time; a browser replaces
    only the host name of that, so another port or TLS would not be reached.
    """

    def post_build(self, **context: Any) -> None:
        hits = 0
        for chunk in Path(context["static_dir"]).glob("assets/reflex-env-*.js"):
            text, found = _BACKEND_URL.subn(_from_location, chunk.read_text())
            chunk.write_text(text)
            hits += found
        if not hits:
            raise RuntimeError("no backend address found in the compiled pages; has Reflex changed its chunks?")


def _from_location(match: re.Match[str]) -> str:
    origin = "location.origin" if match[2] == "http" else 'location.origin.replace(/^http/,"ws")'
    return f'{origin}+"{match[3]}"'


def project_dir() -> Path:
    """Folder with rxconfig.py and the compiled pages: of the wheel, else of the checkout."""
    return WHEEL_PROJECT if WHEEL_PROJECT.exists() else SOURCE


def is_built() -> bool:
    return (project_dir() / ".web/build/client/index.html").exists()


def build() -> bool:
    """Compile the pages of a checkout if a source changed; answers whether it did."""
    stamp = SOURCE / ".web/built-from"
    now = _fingerprint()
    if is_built() and stamp.exists() and stamp.read_text() == now:
        return False
    subprocess.run(
        [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip", "--loglevel", "warning"],
        cwd=SOURCE,
        env=os.environ | _BUILD_ENVIRONMENT,
        check=True,
    )
    _lay_out_the_lock()
    stamp.write_text(now)
    return True


def pack_into_package() -> None:
    """Copy what serving needs into the package, so that a wheel carries it."""
    shutil.rmtree(WHEEL_PROJECT, ignore_errors=True)
    build()
    (WHEEL_PROJECT / ".web").mkdir(parents=True)
    shutil.copy(SOURCE / "rxconfig.py", WHEEL_PROJECT)
    for part in ("build/client", "backend"):
        shutil.copytree(SOURCE / ".web" / part, WHEEL_PROJECT / ".web" / part)
    shutil.copy(SOURCE / ".web/routes.json", WHEEL_PROJECT / ".web")


def _lay_out_the_lock() -> None:
    """The framework leaves this file on one line or on many, by what its package manager had to do; a build must
    leave the checkout as it was."""
    lock = SOURCE / "reflex.lock/package.json"
    lock.write_text(json.dumps(json.loads(lock.read_text()), indent=2))


def _fingerprint() -> str:
    """Hash of everything the compiled pages are made from."""
    parts = [SOURCE / "rxconfig.py", SOURCE / "requirements.txt", SOURCE / "reflex.lock/bun.lock"]
    for folder, pattern in ((PACKAGE, "**/*.py"), (SOURCE / "assets", "**/*")):
        parts += sorted(p for p in folder.glob(pattern) if p.is_file() and "_project" not in p.parts)
    digest = hashlib.sha256()
    for part in parts:
        if part.exists():
            digest.update(str(part.relative_to(SOURCE)).encode() + b"\0" + part.read_bytes() + b"\0")
    return digest.hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] == ["pack"]:
        pack_into_package()
    else:
        print("pages compiled" if build() else "pages unchanged")
