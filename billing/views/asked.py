"""What an address asks for is answered or refused, never passed over: other figures would look like the answer."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from core.errors import BadInput


def check_names(request: HttpRequest, known: Iterable[str]) -> None:
    """Raise ``BadInput`` for a parameter that a file does not heed, and for one that is given twice."""
    known = tuple(known)
    for name, values in request.GET.lists():
        if name not in known:
            words = _("%(name)s is no filter of this file; it has: %(known)s.")
            raise BadInput(words % {"name": name[:80], "known": ", ".join(known) or "–"}, field=name)
        if len(values) > 1:
            raise BadInput(_("%(name)s is given twice.") % {"name": name}, field=name)


def one_of(request: HttpRequest, name: str, known: Iterable[str], default: str = "") -> str:
    """A parameter with a fixed choice. Raises ``BadInput`` for any other value."""
    value = request.GET.get(name) or default
    known = tuple(known)
    if value != default and value not in known:
        words = _("%(name)s is %(value)s; it may be: %(known)s.")
        raise BadInput(words % {"name": name, "value": value[:80], "known": ", ".join(known)}, field=name)
    return value


def refusal(error: BadInput) -> HttpResponse:
    """The answer instead of a file."""
    return HttpResponse(error.message, content_type="text/plain; charset=utf-8", status=error.http_status)
