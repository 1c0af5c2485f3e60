"""The house keeps its own rules: docs that are true, sources that hold what the docs say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from sqlmodel import SQLModel

from blametrail.key_rotation import HASHED, SEALED
from blametrail.settings import Settings
from tests.running import ROOT

SOURCES = sorted(p for p in (ROOT / "blametrail").rglob("*.py") if "_project" not in p.parts)


def settings_table() -> str:
    """The table of the README, made from the settings."""
    lines = ["| variable | default | |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        variable = f"BLAMETRAIL_{name.upper()}"
        lines.append(f"| `{variable}` | {f'`{field.default}`' if field.default not in {''} else ''} | {field.description} |")
    return "\n".join(lines)


def test_it_documents_every_setting() -> None:
    text = (ROOT / "README.md").read_text()
    shown = text.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0].strip()
    assert shown == settings_table(), f"the README needs:\n{settings_table()}"


def test_it_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| P\d\d .*$", (ROOT / "docs/promises.md").read_text(), re.MULTILINE)
    assert len(rows) == 54
    for row in rows:
        for path in re.findall(r"`(tests/[^`:]+)", row):
            assert (ROOT / path).exists(), row
        assert "| held" not in row or "`tests/" in row, row


def test_it_shows_pictures_that_exist() -> None:
    for picture in re.findall(r"\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text()):
        assert (ROOT / picture).exists(), picture


def test_it_renders_no_raw_html() -> None:
    banned = re.compile(r"\brx\.(html|markdown|call_script|toast|upload|Cookie|LocalStorage|SessionStorage)\b")
    assert not [p for p in SOURCES if banned.search(p.read_text())]


def test_it_reads_the_environment_in_one_place() -> None:
    allowed = {"settings.py", "frontend.py", "server.py", "deploy_client.py", "cli.py"}
    assert not [p for p in SOURCES if re.search(r"os\.(environ|getenv)", p.read_text()) and p.name not in allowed]


def test_it_asks_one_clock() -> None:
    pattern = re.compile(r"datetime\.(now|utcnow|today)\(")
    assert not [p for p in SOURCES if pattern.search(p.read_text()) and p.name != "clock.py"]


def test_it_compares_no_secret_with_equals() -> None:
    """Hashes and tokens are compared in constant time, or by the database's index."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                if names & {"token", "signature", "digest", "secret", "password"} and path.name not in {"deploy_tokens.py"}:
                    found.append(f"{path.name}:{node.lineno}")
    assert not found


def test_it_speaks_of_itself_only() -> None:
    leaks = re.compile(r"(?:^|[^A-Za-z.])/(?:work|farm)/|PRODUCT\.md|DEVELOPERS")
    tracked = [*SOURCES, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "assets").rglob("*.*")]
    assert not [p for p in tracked if p.suffix not in {".png"} and leaks.search(Path(p).read_text())]


def test_it_rotates_the_key_of_every_sealed_column() -> None:
    sealed = {(t.name, c.name) for t in SQLModel.metadata.tables.values() for c in t.columns if c.name.endswith("_sealed")}
    assert sealed == {(str(table.__tablename__), column) for table, column in SEALED}
    hashed = {t.name for t in SQLModel.metadata.tables.values() if "token_hash" in t.columns}
    assert hashed == {str(table.__tablename__) for table, _, _ in HASHED}
