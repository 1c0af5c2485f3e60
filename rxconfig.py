"""What Reflex must know; every value comes from blametrail.settings."""

import logging

import reflex as rx
from reflex_base import constants

from blametrail.frontend import SameOriginPlugin
from blametrail.settings import settings

# Reflex starts its development server with a bare `--host`, which means every interface.
constants.PackageJson.Commands.DEV = "react-router dev --host 127.0.0.1"
# Bun compiles the pages; a Node that happens to be here is not used, however old it is.
logging.getLogger("reflex.utils.js_runtimes").addFilter(lambda record: "Node.js is out of date" not in record.getMessage())

config = rx.Config(
    app_name="blametrail",
    backend_host="127.0.0.1",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    redis_url=settings().redis_url or None,
    state_manager_mode="redis" if settings().redis_url else "memory",
    redis_token_expiration=900,  # seconds that the state of a closed tab is kept, in memory too
    cors_allowed_origins=list(settings().allowed_origins),
    default_color_mode="system",
    plugins=[SameOriginPlugin()],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
