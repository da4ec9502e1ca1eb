"""Read by gunicorn by itself when it starts in this folder; options on its command line win over it."""

import os
import sys
from typing import Any


def _log() -> dict[str, Any]:
    """As the site's own, read with its settings before any worker does: what is refused ends the start with 78, like
    every command."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        found: dict[str, Any] = settings.LOGGING
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(78)
    loggers = {
        "gunicorn.error": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # the site writes a line a request, without what addresses hold
        "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
    }
    return {**{name: found[name] for name in ("version", "formatters", "handlers", "root")}, "loggers": loggers}


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")
logconfig_dict = _log()
control_socket_disable = True  # nobody uses it, and the folder that it wants is not the site's user's to write
# Longer than the proxy keeps a connection that rests (nginx 60 s, Caddy 120 s): else it sends an order over one that is
# closed at that moment, and its sender sees a 502.
keepalive = 130
