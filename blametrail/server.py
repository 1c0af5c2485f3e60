"""Serve pages and API: one process, one port."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvloop
from sqlalchemy.exc import SQLAlchemyError

from blametrail import frontend
from blametrail.settings import settings

SECONDS_TO_STOP = 10.0


def serve() -> None:
    """Migrate, then serve until told to stop; exits with words when something is missing."""
    gc.disable()  # until everything is imported: what is made now lives as long as we do, and looking through it takes long
    from blametrail.kit.logs import configure_logs
    from blametrail.migrations import open_database

    configure_logs()
    if not frontend.is_built():
        sys.exit("blametrail: the pages are not compiled. Run `make run`, or `python -m blametrail.frontend` in a checkout.")
    _refuse_a_taken_port()
    try:
        open_database()
    except (ValueError, OSError) as error:
        sys.exit(f"blametrail: {error}")
    except SQLAlchemyError as error:
        sys.exit(f"blametrail: the database could not serve: {getattr(error, 'orig', None) or error}")
    application = _application()
    gc.freeze()
    gc.enable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(application))


def _application() -> Callable[..., Any]:
    """The Reflex application with its compiled pages, ready to be called by a server."""
    project = frontend.project_dir()
    data_dir = settings().data_dir.resolve()
    settings().data_dir = data_dir  # the working directory changes below
    os.environ |= {
        "REFLEX_ENV_MODE": "prod",
        "REFLEX_TELEMETRY_ENABLED": "false",
        "REFLEX_CHECK_LATEST_VERSION": "false",
        "REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE": "65536",
        "REFLEX_WEB_WORKDIR": str(project / ".web"),
        # Internal names of Reflex, two underscores included: use the pages that are there.
        "__REFLEX_SKIP_COMPILE": "true",
        "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
    }
    os.chdir(project)  # Reflex looks for rxconfig.py in the working directory only
    sys.path.insert(0, str(project))
    from blametrail.api.app import api
    from blametrail.api.edge import Edge
    from blametrail.api.sockets import FewSockets
    from blametrail.blametrail import app

    return Edge(api, FewSockets(app()), project / ".web/build/client", settings().over_tls)


def _refuse_a_taken_port() -> None:
    """The server shares its port with whoever else asks to; two of them would each get some of the requests."""
    family = socket.AF_INET6 if ":" in settings().host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings().host, settings().port))
        except OSError as error:
            sys.exit(
                f"blametrail: cannot listen on {settings().host}:{settings().port}: {error.strerror}. Set BLAMETRAIL_PORT."
            )


def _leave() -> None:
    """A browser that does not close its socket must not keep us: what was accepted is finished, then go."""
    from blametrail.kit.db import database

    database().close()
    os._exit(0)


async def _serve(application: Callable[..., Any]) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    server = Server(
        application,
        address=settings().host,
        port=settings().port,
        interface=Interfaces.ASGI,
        # Connections that say nothing cost little; at the default of 128 they would lock everybody else out.
        http=HTTPModes.http1,
        backlog=1024,
        backpressure=4096,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        log_access=False,
        log_level="warning",
    )
    # It warns at each start that being embedded is new; making the server has set up its logs.
    logging.getLogger("_granian").setLevel(logging.ERROR)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.stop()
        loop.call_later(SECONDS_TO_STOP, _leave)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    print(f"BlameTrail is at {settings().base_url}", flush=True)
    await server.serve()
