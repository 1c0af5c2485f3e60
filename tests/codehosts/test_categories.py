"""What a changed file is, by its path; which of many come first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blametrail.codehosts.categories import Category, ChangedFile, category_of, is_generated, ranked

KINDS = {
    Category.APPLICATION: [
        "src/payments/retry.py", "cmd/server/main.go", "lib/attest.rb", "app/latest.ts", "web/components/Contest.jsx",
        "src/protest/index.js", "drivers/net/bnxt/bnxt_txq.c", "x", "services/documents/pdf.py", "lib/greatest/spec.rs",
    ],
    Category.DATABASE: [
        "alembic/versions/0001_initial.py", "db/migrate/20240101_add_index.rb", "app/migrations/0002_x.py", "schema.sql",
        "prisma/schema.prisma", "db/schema.rb", "nova/db/sqlalchemy/migrate_repo/versions/246_x.py",
    ],
    Category.CONFIGURATION: [
        "config/production.json", "settings.yaml", "appsettings.Production.json", ".env.production", "src/feature_flags.py",
        "hieradata/hosts/a.yaml", ".eslintrc.json",
    ],
    Category.INFRASTRUCTURE: [
        "Dockerfile", "deploy/Dockerfile.web", "terraform/main.tf", "charts/web/templates/service.yaml", "Makefile",
        ".github/workflows/ci.yml", ".gitlab-ci.yml", "docker-compose.prod.yml", "k8s/web.yaml",
    ],
    Category.DEPENDENCIES: [
        "package.json", "package-lock.json", "requirements-dev.txt", "go.sum", "Cargo.toml", "poetry.lock", "web/yarn.lock",
        "src/App/App.csproj",
    ],
    Category.TESTS: [
        "tests/test_retry.py", "src/retry_test.go", "web/Button.spec.tsx", "spec/models/user_spec.rb", "conftest.py",
        "src/test/java/FooTest.java", "app/FooTests.cs", "testdata/case.json", "cypress/e2e/login.cy.ts", "pkg/testing/x.go",
    ],
    Category.DOCUMENTATION: [
        "README.md", "docs/guide/index.html", "CHANGELOG", "LICENSE", "man/man8/tc.8", "docs/logo.svg", "SECURITY.md",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for kind, paths in KINDS.items() for path in paths])
def test_it_knows_the_kind_of_a_file(path: str, kind: Category) -> None:
    assert category_of(path) is kind


@pytest.mark.parametrize("path", ["docs/conf.py", "docs/build.sh", "documentation/server.js"])
def test_it_calls_no_program_documentation(path: str) -> None:
    assert category_of(path) is not Category.DOCUMENTATION


@pytest.mark.parametrize(
    "path", ["yarn.lock", "vendor/a/b.go", "web/dist/app.js", "app.min.js", "app.js.map", "api_pb2.py", "a/b.pb.go"]
)
def test_it_knows_what_tools_wrote(path: str) -> None:
    assert is_generated(path) and not is_generated("src/a.go")


def test_it_puts_first_what_runs_and_last_what_does_not() -> None:
    files = [
        ChangedFile("README.md", added=400),
        ChangedFile("yarn.lock", added=900),
        ChangedFile("tests/test_pay.py", added=120),
        ChangedFile("src/pay.py", added=30, removed=10),
        ChangedFile("migrations/0007_drop.py", "added", added=20),
    ]
    order = ranked(files)
    assert [r.file.path for r in order][:2] == ["migrations/0007_drop.py", "src/pay.py"]
    assert order[-1].file.path == "README.md"
    assert order[0].reasons == ("database", "20 changed lines", "added")
    assert "written by a tool" in next(r.reasons for r in order if r.file.path == "yarn.lock")


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 10**6)), max_size=30))
def test_it_ranks_anything_the_same_in_any_order(found: list[tuple[str, int]]) -> None:
    files = [ChangedFile(path, added=lines) for path, lines in found]
    assert sorted(map(repr, ranked(files))) == sorted(map(repr, ranked(files[::-1])))
    relevances = [r.relevance for r in ranked(files)]
    assert relevances == sorted(relevances, reverse=True)
