"""Keys and hashes of tokens."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from blametrail.kit.keys import Key, KeyRing, load_key_ring
from blametrail.kit.tokens import new_token


def test_it_makes_a_key_file_for_its_owner_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        rings = list(threads.map(lambda _: load_key_ring("", tmp_path / "data"), range(8)))
    assert len({ring.keys for ring in rings}) == 1
    assert stat.S_IMODE((tmp_path / "data/secret.key").stat().st_mode) == 0o600
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["secret.key"]


def test_it_accepts_tokens_of_older_keys() -> None:
    old, new = "o" * 32, "n" * 32
    token = new_token("dpl_")
    stored = load_key_ring(old, Path()).digest(token)
    assert stored in load_key_ring(f"{new},{old}", Path()).digests(token)
    assert stored not in load_key_ring(new, Path()).digests(token)


@pytest.mark.parametrize("configured", ["short", "x" * 31, f"{'x' * 32},short"])
def test_it_refuses_weak_keys(configured: str) -> None:
    with pytest.raises(ValueError, match="fewer than 32"):
        load_key_ring(configured, Path())


def test_it_refuses_an_empty_key_file(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        load_key_ring("", tmp_path)


def test_it_never_prints_a_key() -> None:
    assert "secret" not in repr(KeyRing((Key(b"secret" * 8),)))


def test_it_makes_tokens_nobody_guesses() -> None:
    tokens = {new_token("dpl_") for _ in range(1000)}
    assert len(tokens) == 1000 and all(len(t) >= 36 and t.startswith("dpl_") for t in tokens)
