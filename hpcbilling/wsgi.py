"""WSGI entry for gunicorn, and for ``runserver``."""

import os
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")


class Request(WSGIRequest):
    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """As Django's, but a charset does not yet decide how parameters are read: ``HeadersMiddleware`` looks at it,
        while Django breaks in this very method over one that is not for text, outside of all that answers errors."""
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


application = get_wsgi_application()
application.request_class = Request
