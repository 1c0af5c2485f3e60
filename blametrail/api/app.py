"""All routes of the API as one application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from blametrail.api import alerts, docs, forms, github_app, health, ingest, openapi, v1, webhooks
from blametrail.api.answers import on_http_error, on_known_error, on_unknown_error
from blametrail.kit.errors import BlameTrailError

known = [
    *health.routes,
    *ingest.routes,
    *v1.routes,
    *openapi.routes,
    *docs.routes,
    *webhooks.routes,
    *alerts.routes,
    *forms.routes,
    *github_app.routes,
]


async def unknown(request: Request) -> Response:
    """Addresses below /api and /form that do not exist, or not for this method, answer in the API's own shape."""
    allowed = {name for route in known if route.matches(request.scope)[0] is Match.PARTIAL for name in route.methods or ()}
    if allowed:
        raise HTTPException(
            405, f"This address takes {' or '.join(sorted(allowed))} only", {"Allow": ", ".join(sorted(allowed))}
        )
    raise HTTPException(404, "There is no such address")


api = Starlette(
    routes=[
        *known,
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
