"""Forms of the pages that carry a secret in or out: passwords, new tokens, invitation links.

Secrets cross between browser and server here only, never in a page's state or its socket: state is
kept and sent again to whoever reconnects, an answer of a form is not.
"""

from blametrail.api.forms import accounts, alerts, api_tokens, connections, monitors, services, webhooks

routes = [
    *accounts.routes,
    *alerts.routes,
    *api_tokens.routes,
    *connections.routes,
    *monitors.routes,
    *services.routes,
    *webhooks.routes,
]
