"""All routes of the API as one application, which the pages are mounted into."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from blametrail.api import forms, health, ingest
from blametrail.api.answers import on_http_error, on_known_error, on_unknown_error
from blametrail.kit.errors import BlameTrailError


async def unknown(request: Request) -> Response:
    """Addresses below /api and /form that do not exist answer in the API's own shape."""
    raise HTTPException(404, "There is no such address")


api = Starlette(
    routes=[
        *health.routes,
        *ingest.routes,
        *forms.routes,
        *(
            Route(f"/{part}/{{rest:path}}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
            for part in ("api", "form")
        ),
    ],
    exception_handlers={
        BlameTrailError: on_known_error,
        HTTPException: on_http_error,
        Exception: on_unknown_error,
    },
)
