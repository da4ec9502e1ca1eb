"""What Django's page for debugging says, and for whom it is not."""

from __future__ import annotations

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter


class OwnBadRequests(ExceptionReporter):
    """``DEFAULT_EXCEPTION_REPORTER``: with DEBUG, too, a request that cannot be understood gets the site's page, and no
    report of settings and frames that takes a minute where there are thousands of parameters."""

    def get_traceback_html(self) -> SafeString:
        if self.request is not None and isinstance(self.exc_value, BadRequest | SuspiciousOperation):
            with translation.override(translation.get_language_from_request(self.request)):
                return render_to_string("400.html")
        return super().get_traceback_html()
