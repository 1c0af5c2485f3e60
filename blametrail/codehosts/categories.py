"""What kind of thing a changed file is, by its path alone; and which of many are worth reading first.

Pure and without AI. The first rule that fits decides; what none fits is application logic, so that an
unknown file is never taken for a harmless one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    APPLICATION = "application logic"
    DATABASE = "database"
    CONFIGURATION = "configuration"
    INFRASTRUCTURE = "infrastructure"
    DEPENDENCIES = "dependencies"
    TESTS = "tests"
    DOCUMENTATION = "documentation"


HARMLESS = frozenset({Category.TESTS, Category.DOCUMENTATION})
"""Kinds that do not run in production."""

_WEIGHTS = {
    Category.DATABASE: 5.0,
    Category.APPLICATION: 4.0,
    Category.CONFIGURATION: 4.0,
    Category.INFRASTRUCTURE: 3.0,
    Category.DEPENDENCIES: 2.5,
    Category.TESTS: 0.5,
    Category.DOCUMENTATION: 0.2,
}
_MADE_BY_TOOLS = 0.25  # what such a file holds follows from another one
_ELSEWHERE = 0.3  # shared code outside the service's folder can break it, too
_LARGE = 100


def _rule(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p})" for p in patterns), re.IGNORECASE)


_GENERATED = _rule(
    r"(^|/)(node_modules|vendor|third_party|thirdparty|bower_components|\.yarn|dist|generated|__generated__)/",
    r"\.((min\.)?(js|css)\.map|min\.(js|css)|pb\.go|pb\.(cc|h)|g\.dart|snap)$",
    r"(_pb2(_grpc)?\.pyi?|\.generated\.\w+|_generated\.\w+|\.designer\.cs)$",
)
_LOCKED = _rule(
    r"(^|/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|poetry\.lock|uv\.lock|pdm\.lock|"
    r"pipfile\.lock|cargo\.lock|go\.sum|gemfile\.lock|composer\.lock|mix\.lock|flake\.lock|podfile\.lock|packages\.lock\.json|"
    r"gradle\.lockfile|\.terraform\.lock\.hcl|chart\.lock|requirements[\w.-]*\.lock)$"
)
_RULES: tuple[tuple[Category, re.Pattern[str]], ...] = (
    (
        Category.TESTS,
        _rule(
            r"(^|/)(tests?|specs?|__tests__|__mocks__|testdata|test[-_]data|fixtures|testing|e2e|cypress|androidtest|src/test)/",
            r"(^|/)(test_[^/]+|conftest)\.py$",
            r"[._-](test|tests|spec|e2e|unittest|unit_test|autotest)\.\w+$",
            r"(^|/)[^/]*(Test|Tests|IT)\.(java|kt|scala|groovy|cs|swift)$",
            r"(^|/)(jest|vitest|playwright|karma|cypress|pytest|tox|codecov)[\w.-]*\.(config\.)?(js|ts|mjs|cjs|json|ini|yml)$",
        ),
    ),
    (
        Category.DATABASE,
        _rule(
            r"(^|/)(migrations?|migrate|migrate_repo|alembic|flyway|liquibase|schema_migrations|db/(schema|structure)[^/]*)/",
            r"\.(sql|ddl|psql|prisma|dbml)$",
            r"(^|/)(schema|structure)\.(rb|sql)$",
            r"(^|/)db/seeds?(\.rb|/)",
        ),
    ),
    (
        Category.DOCUMENTATION,
        _rule(
            r"\.(md|mdx|rst|adoc|asciidoc|txt\.in|pod|texi|1|3|5|7|8|po|pot)$",
            r"(^|/)(docs?|documentation|man|manual|rfcs?|adr)/(?!.*\.(py|js|ts|go|rs|rb|java|c|cc|cpp|h|sh|ya?ml|json)$)",
            r"(^|/)(readme|changelog|changes|news|license|licence|copying|authors|contributors|contributing|notice|maintainers|"
            r"release[-_]?notes?|code_of_conduct|security|credits|codeowners|patents)([._-][^/]*)?$",
            r"\.(png|jpe?g|gif|svg|ico|pdf)$",
        ),
    ),
    (
        Category.DEPENDENCIES,
        _rule(
            r"(^|/)(package\.json|pyproject\.toml|setup\.(py|cfg)|pipfile|cargo\.toml|go\.mod|go\.work|gemfile|composer\.json|"
            r"pom\.xml|build\.sbt|mix\.exs|pubspec\.yaml|podfile|directory\.packages\.props|packages\.config|vcpkg\.json|"
            r"conanfile\.(py|txt)|environment\.ya?ml|libs\.versions\.toml|\.gitmodules)$",
            r"(^|/)(requirements|constraints)[\w.-]*\.(txt|in)$",
            r"(^|/)requirements/[^/]+\.(txt|in)$",
            r"\.(csproj|fsproj|vbproj|gemspec|podspec|cabal)$",
            r"(^|/)(renovate|dependabot)[\w.-]*$",
        ),
    ),
    (
        Category.INFRASTRUCTURE,
        _rule(
            r"(^|/)(dockerfile|containerfile)([._-][^/]*)?$",
            r"\.(dockerfile|tf|tfvars|hcl|bicep|nomad|service|timer|socket)$",
            r"(^|/)(docker-)?compose[\w.-]*\.ya?ml$",
            r"(^|/)(\.github|\.gitlab|\.circleci|\.buildkite|\.travis|\.ci|\.azure-pipelines|\.semaphore|\.woodpecker)/",
            r"(^|/)(\.gitlab-ci|\.travis|azure-pipelines|appveyor|\.drone|cloudbuild|bitbucket-pipelines|buildspec|skaffold|"
            r"serverless|fly|render|netlify|vercel|helmfile)[\w.-]*\.(ya?ml|toml|json)$",
            r"(^|/)(jenkinsfile|vagrantfile|procfile|makefile|gnumakefile|justfile|rakefile|tiltfile|earthfile|build\.gradle(\.kts)?|"
            r"cmakelists\.txt|meson\.build|build\.bazel|workspace|bazel\.bzl|configure\.ac|kbuild|android\.(bp|mk))$",
            r"\.(mk|cmake|bzl|gn|gni|gradle)$",
            r"(^|/)(terraform|ansible|helm|charts?|k8s|kubernetes|kustomize|manifests|deploy(ments?)?|infra(structure)?|puppet|salt|"
            r"cloudformation|pulumi|nginx|haproxy|systemd|packer)/",
        ),
    ),
    (
        Category.CONFIGURATION,
        _rule(
            r"\.(ya?ml|toml|ini|cfg|conf|config|properties|env|editorconfig|plist|xcconfig)$",
            r"(^|/)\.env([._-][^/]*)?$",
            r"(^|/)(config|configs|configuration|settings|conf|etc)/",
            r"(^|/)(appsettings|settings|config|feature[-_]?flags?|flags)([._-][\w-]+)*\.(json|js|ts|py|rb|php)$",
            r"(^|/)\.[\w-]+rc(\.\w+)?$",
            r"(^|/)kconfig[^/]*$",
            r"defconfig$",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file of a change: `status` as the host says it, lines added and removed."""

    path: str
    status: str = "modified"
    added: int = 0
    removed: int = 0
    old_path: str = ""


@dataclass(frozen=True, slots=True)
class RankedFile:
    """A changed file with its kind, how much it deserves to be read, and why."""

    file: ChangedFile
    category: Category
    is_generated: bool
    relevance: float
    reasons: tuple[str, ...]


def category_of(path: str) -> Category:
    """The kind of a file by its path, `/` between folders."""
    if _LOCKED.search(path):
        return Category.DEPENDENCIES
    return next((category for category, rule in _RULES if rule.search(path)), Category.APPLICATION)


def is_generated(path: str) -> bool:
    """Whether a tool wrote it: lock files, vendored code, compiled or minified output."""
    return bool(_LOCKED.search(path) or _GENERATED.search(path))


def ranked(files: Iterable[ChangedFile], prefix: str = "") -> list[RankedFile]:
    """The files, most worth reading first to those whose code lives in the folder `prefix` (empty: everywhere); equal ones by
    path, so that the order is always the same."""
    return sorted((_ranked(file, prefix) for file in files), key=lambda r: (-r.relevance, r.file.path))


def _ranked(file: ChangedFile, prefix: str) -> RankedFile:
    category, generated = category_of(file.path), is_generated(file.path)
    lines = file.added + file.removed
    relevance = _WEIGHTS[category] * (1 + math.log2(1 + lines) / 4) * (_MADE_BY_TOOLS if generated else 1)
    reasons = [category.value, f"{lines} changed line{'' if lines == 1 else 's'}"]
    if generated:
        reasons.append("written by a tool")
    if lines >= _LARGE and not generated:
        reasons.append("large change")
    if file.status in {"added", "removed", "renamed"}:
        reasons.append(file.status)
    if prefix and not any(path.startswith(f"{prefix}/") for path in (file.path, file.old_path)):
        relevance *= _ELSEWHERE
        reasons.append(f"outside {prefix}")
    return RankedFile(file, category, generated, round(relevance, 3), tuple(reasons))
