"""A key is replaced without anybody noticing; without a key that is needed, nothing starts."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.running import running

OLD, NEW = "an old key of forty characters or so 1234", "a new key of forty characters or so 12345"


def test_it_replaces_a_key_in_three_starts(tmp_path: Path) -> None:
    with running(tmp_path / "data", BLAMETRAIL_SECRET_KEYS=OLD) as server:
        server.found()
        token = server.service("checkout")["deploy_token"]
        alice = server.sign_in()
        server.kill()

        server.settings["BLAMETRAIL_SECRET_KEYS"] = f"{NEW},{OLD}"
        server.start()
        assert "1 deploy tokens, 1 sessions" in server.run("rotate-keys").stdout
        assert server.post(token).status_code == 200
        left = server.run("rotate-keys").stdout
        assert "deploy tokens" not in left and "1 sessions" in left
        server.form(alice, "logout")
        assert "is needed no more" in server.run("rotate-keys").stdout
        server.kill()

        server.settings["BLAMETRAIL_SECRET_KEYS"] = NEW
        server.start()
        assert server.post(token).status_code == 200


def test_it_makes_a_new_key_in_the_file_while_serving(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        token = server.service("checkout")["deploy_token"]
        assert "is new and current" in server.run("rotate-keys", "--new").stdout
        assert len((tmp_path / "data/secret.key").read_text().split()) == 2
        assert (tmp_path / "data/secret.key").stat().st_mode & 0o777 == 0o600
        assert server.post(token).status_code == 200
        assert server.post(server.service_by_command("billing")["deploy_token"]).status_code == 200
        assert "is needed no more" in server.run("rotate-keys").stdout


@pytest.mark.parametrize("how", ["another key", "the file is gone"])
def test_it_refuses_to_start_without_a_key_that_is_needed(tmp_path: Path, how: str) -> None:
    with running(tmp_path / "data") as server:
        server.found()
        server.service("checkout")
        server.kill()
        if how == "another key":
            server.settings["BLAMETRAIL_SECRET_KEYS"] = NEW
        else:
            (tmp_path / "data/secret.key").unlink()
        with pytest.raises(RuntimeError, match="is not in"):
            server.start()
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{server.url}/livez")
        refused = server.run("service", "create", "x", "--environment", "production", "--type", "web", check=False)
        assert refused.returncode == 1 and "is not in" in refused.stderr
