"""Is the process alive, and can it serve?"""

from __future__ import annotations

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api.answers import answer
from blametrail.kit.db import EVERY_ORGANIZATION, database
from blametrail.kit.errors import Unavailable


async def livez(request: Request) -> Response:
    """The process answers."""
    return answer(request, {"status": "ok"})


async def readyz(request: Request) -> Response:
    """The database answers too; 503 while it does not."""
    try:
        await database().read(EVERY_ORGANIZATION, lambda s: s.connection().execute(text("SELECT 1")).scalar())
    except Unavailable:
        return answer(request, {"status": "unavailable", "database": "unavailable"}, 503)
    return answer(request, {"status": "ok", "database": "ok"})


routes = [Route("/livez", livez, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]
