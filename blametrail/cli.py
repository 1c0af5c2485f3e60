"""The command line: serve, set up, report a deploy, show what BlameTrail does with a repository of yours.

Whatever is heavy is imported by the command that needs it, so that `deploy` starts at once in a pipeline.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from uuid import UUID

    from blametrail.kit.db import ScopedSession

# Tracebacks with local variables would show tokens and passwords.
app = typer.Typer(help="Which change broke it?", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
services = typer.Typer(help="Services of an organization.", no_args_is_help=True)
app.add_typer(services, name="service")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
OrganizationName = Annotated[str, typer.Option("--organization", help="Needed only when there are several organizations.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"blametrail {version('blametrail')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which change broke it?"""


@app.command()
def serve() -> None:
    """Serve pages and API on one port until told to stop."""
    with _plain_errors():
        from blametrail.settings import settings

        settings()
    from blametrail import server

    server.serve()


@app.command()
def init(
    email: Annotated[str, typer.Option(help="E-mail address of the owner.")],
    organization: Annotated[str, typer.Option(help="Name of the organization.")],
    name: Annotated[str, typer.Option(help="Name of the owner. Default: the start of the address.")] = "",
) -> None:
    """Make the first organization and its owner; the password comes from standard input, or is asked for."""
    with _plain_errors():
        _open_database()
        from blametrail.accounts.organizations import found_first
        from blametrail.accounts.passwords import PasswordHash, hash_password
        from blametrail.kit.db import EVERY_ORGANIZATION, database

        password = PasswordHash(hash_password(_password()))
        database().write_now(
            EVERY_ORGANIZATION, found_first, organization=organization, name=name, email=email, password=password
        )
        typer.echo(f"{organization.strip()} is set up. Sign in as {email.strip()}.")


@services.command("create")
def create_service(
    name: str,
    *,
    environment: Annotated[str, typer.Option(help="production, staging or development.")],
    type_: Annotated[str, typer.Option("--type", help="web, api, worker, database or internal.")],
    url: Annotated[str, typer.Option(help="Where the service answers.")] = "",
    owner_team: Annotated[str, typer.Option(help="Who owns it.")] = "",
    repository: Annotated[list[str] | None, typer.Option(help="owner/repo or an address; may be repeated.")] = None,
    organization: OrganizationName = "",
    as_json: Json = False,
) -> None:
    """Make a service; its deploy token is printed this one time. The server may be running or not."""
    with _plain_errors():
        _open_database()
        from blametrail.catalog.services import ServiceDraft, create
        from blametrail.kit.db import EVERY_ORGANIZATION, database
        from blametrail.kit.keys import key_ring

        draft = ServiceDraft.checked(
            name=name,
            environment=environment,
            type=type_,
            url=url,
            owner_team=owner_team,
            repositories="\n".join(repository or ()),
        )
        scope = database().read_now(EVERY_ORGANIZATION, _organization, organization)
        service_id, token = database().write_now(scope, create, key_ring(), draft, "command line")
    if as_json:
        typer.echo(json.dumps({"id": str(service_id), "name": draft.name, "deploy_token": token}))
    else:
        typer.echo(f"{draft.name} is made. Its deploy token, shown only now:\n{token}")


@app.command()
def doctor(
    service: Annotated[str, typer.Argument(help="Name of a service; all of them if none is given.")] = "",
    *,
    organization: OrganizationName = "",
    as_json: Json = False,
) -> None:
    """Say, step by step, what keeps services from being explained; ends with 1 when something is to be done."""
    with _plain_errors():
        _open_database()
        from blametrail.doctor import diagnose_all
        from blametrail.kit.db import EVERY_ORGANIZATION, database

        scope = database().read_now(EVERY_ORGANIZATION, _organization, organization)
        found = database().read_now(scope, diagnose_all, service)
    if as_json:
        typer.echo(json.dumps([diagnosis.as_json() for diagnosis in found]))
    else:
        typer.echo("\n\n".join(diagnosis.in_words() for diagnosis in found) or "There are no services yet.")
    raise typer.Exit(any(diagnosis.next for diagnosis in found))


@app.command()
def rotate_keys(
    new: Annotated[
        bool, typer.Option("--new", help="First make a new key, where the keys are in the data folder's file.")
    ] = False,
) -> None:
    """Seal every stored secret under the current key, while the server runs; may be stopped and run again."""
    with _plain_errors():
        _open_database()
        from blametrail.key_rotation import rotate

        for line in rotate(make_new_key=new):
            typer.echo(line)


class NeverFails(TyperCommand):
    """A command whose misspelt options end a pipeline only when it asked for that."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        strict = "--strict" in args
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if strict or getattr(error, "exit_code", 0) != 2 or not hasattr(error, "format_message"):
                raise
            _not_reported(f"{error.format_message()} See `blametrail deploy --help`.", "failed", 0, "--json" in args)


@app.command(cls=NeverFails)
def deploy(
    *,
    commit_sha: Annotated[str, typer.Option("--commit-sha", "--sha", help="Default: from CI or git.")] = "",
    commit_message: Annotated[str, typer.Option("--commit-message", "--message", help="Default: the commit's.")] = "",
    branch: Annotated[str, typer.Option(help="Default: from CI or git.")] = "",
    deployed_by: Annotated[str, typer.Option(help="Default: from CI, else the commit's author.")] = "",
    environment: Annotated[str, typer.Option("--environment", "--env", help="Default: the service's.")] = "",
    version: Annotated[str, typer.Option(help="For example v1.4.0.")] = "",
    description: Annotated[str, typer.Option(help="Anything worth knowing.")] = "",
    url: Annotated[str, typer.Option(help="Default: the page of the CI run.")] = "",
    deployed_at: Annotated[str, typer.Option(help="ISO 8601 with time zone. Default: when it arrives.")] = "",
    previous_commit_sha: Annotated[str, typer.Option(help="What was live before.")] = "",
    commits_since: Annotated[str, typer.Option(metavar="BASE", help="List the commits after BASE, at most 100.")] = "",
    service: Annotated[str, typer.Option(help="Only for the printed line: the token names the service.")] = "",
    server: Annotated[str, typer.Option(help="Default: BLAMETRAIL_URL.")] = "",
    token_file: Annotated[Path | None, typer.Option(help="File of the deploy token. Default: BLAMETRAIL_TOKEN.")] = None,
    idempotency_key: Annotated[str, typer.Option(help="Default: a new one, the same for all tries.")] = "",
    test: Annotated[bool, typer.Option("--test", help="Check everything, store nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when not reported, 2 when wrongly called.")] = False,
    as_json: Json = False,
    timeout: Annotated[float, typer.Option(min=1, max=60, help="Seconds for each try; a minute is the most in all.")] = 10,
) -> None:
    """Report a deploy from CI. Never fails the pipeline: exits 0 whatever happens, unless --strict is given.

    The address of the server is in BLAMETRAIL_URL and the deploy token in BLAMETRAIL_TOKEN.
    """
    from blametrail import deploy_client as client

    fields = ("commit_sha", "commit_message", "branch", "deployed_by", "environment", "version", "description", "url")
    said = locals()
    given = {name: str(said[name]) for name in (*fields, "deployed_at", "previous_commit_sha")}
    try:
        _print_whatever_the_locale()
        target = client.find_target(server, token_file, os.environ, test=test, seconds=timeout, key=idempotency_key)
        report, notes = client.build_report(given, commits_since, os.environ)
        for note in notes:
            typer.echo(f"blametrail: {note}", err=True)
        answer = client.send(target, client.fit(report))
    except client.CannotReport as error:
        _not_reported(error, error.status, strict and error.exit_code, as_json)
    except Exception as error:
        # A pipeline must not fail by a fault of ours; its text may hold anything, so only its kind is told.
        _not_reported(f"unexpected {type(error).__name__}.", "failed", strict and client.FAILED, as_json)
    sha, subject = client.printable(report["commit_sha"])[:12], client.printable(service or "the service")
    line = f"{subject}: deploy of {sha} {answer['status']} {answer.get('deploy_id', '(test: nothing stored)')}"
    typer.echo(json.dumps(answer) if as_json else line)


def _not_reported(why: object, status: str, exit_code: int, as_json: bool) -> NoReturn:
    typer.echo(f"blametrail: not reported: {why}", err=True)
    if as_json:
        typer.echo(json.dumps({"status": status, "error": str(why)}))
    raise typer.Exit(exit_code)


@app.command()
def demo(
    repository: Annotated[Path | None, typer.Argument(help="A local git repository.")] = None,
    *,
    server: Annotated[str, typer.Option(help="Address of the running server. Default: as this machine's settings say.")] = "",
    days: Annotated[int, typer.Option(min=1, max=365, help="Into how many past days the history is laid.")] = 14,
    deploys: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many deploys, the newest.")] = 400,
    organization: OrganizationName = "",
    remove: Annotated[bool, typer.Option("--remove", help="Remove what the demo made, and nothing else.")] = False,
) -> None:
    """Fill BlameTrail with the deploys that CI would have sent for a repository; a second run adds nothing."""
    with _plain_errors():
        from blametrail import demo as loading
        from blametrail import demo_data
        from blametrail.kit.db import EVERY_ORGANIZATION, database
        from blametrail.kit.errors import Invalid
        from blametrail.settings import settings

        if remove:
            _open_database()
            scope = database().read_now(EVERY_ORGANIZATION, _organization, organization)
            typer.echo("\n".join(database().write_now(scope, demo_data.remove)))
            return
        if repository is None:
            raise Invalid({}, "Name a local git repository, or pass --remove.")
        address = server.rstrip("/") or settings().base_url
        history = loading.read_history(repository, deploys)
        loading.check_server(address)
        _open_database()
        password = demo_data.found_if_empty(database())
        if password:
            typer.echo(f"Made the organization Demo. Sign in as {demo_data.OWNER} with the password {password}")
        scope = database().read_now(EVERY_ORGANIZATION, _organization, organization)
        sent = loading.load(
            database(), scope, history, address, days=days, deploys=deploys, say=lambda line: typer.echo(line, err=True)
        )
        typer.echo(f"{sent} deploys added. Look at {address}/{database().read_now(scope, demo_data.query_of_all)}")
        if not password and database().read_now(scope, demo_data.has_own_owner):
            typer.echo(f"Sign in as {demo_data.OWNER} with the password that the first run printed.")
        folder = "" if settings().data_dir == Path("data") else f"BLAMETRAIL_DATA_DIR={shlex.quote(str(settings().data_dir))} "
        typer.echo(f"It is all in {', '.join(demo_data.SERVICES.values())}; `{folder}blametrail demo --remove` removes it.")


def _open_database() -> None:
    """Settings, logs on standard error, and the tables this version needs."""
    from blametrail.kit.logs import configure_logs
    from blametrail.migrations import open_database

    configure_logs()
    open_database()


def _organization(session: ScopedSession, name: str) -> UUID:
    """The organization of that name, or the only one."""
    from blametrail.accounts.tables import Organization
    from blametrail.kit.db import select
    from blametrail.kit.errors import Conflict, NotFound

    found = session.exec(select(Organization.id, Organization.name)).all()
    if not found:
        raise NotFound("There is no organization yet. Run `blametrail init` first.")
    matching = [id_ for id_, own in found if not name or own.lower() == name.strip().lower()]
    if not matching:
        raise NotFound("There is no organization of this name.")
    if len(matching) > 1:
        raise Conflict("There are several organizations. Name one by --organization.")
    return matching[0]


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().removesuffix("\n")


def _print_whatever_the_locale() -> None:
    """A terminal that cannot show a character shows another one, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What went wrong in one line, exit 1."""
    from pydantic import ValidationError
    from sqlalchemy.exc import SQLAlchemyError

    from blametrail.kit.errors import BlameTrailError

    try:
        _print_whatever_the_locale()
        yield
        return
    except ValidationError as error:
        why = "; ".join(
            f"BLAMETRAIL_{str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors(include_input=False)
        )
    except BlameTrailError as error:
        why = error.message
    except SQLAlchemyError as error:
        why = f"the database could not serve: {getattr(error, 'orig', None) or type(error).__name__}"
    except OSError as error:
        why = f"cannot use {error.filename}: {error.strerror}" if error.filename else str(error)
    except ValueError as error:
        why = str(error)
    typer.echo(f"blametrail: {' '.join(why.split())}", err=True)
    raise typer.Exit(1)
