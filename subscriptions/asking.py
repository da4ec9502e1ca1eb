"""Asking a LiteLLM-compatible server: the whole answer within a deadline, up to a size, from no other address."""

from __future__ import annotations

from django.utils.translation import gettext as _

from core.errors import Misconfigured, Unavailable
from core.fetching import QUIET, Limits, NoAnswer, Why, fetch, is_address

PATH = "/model/info"
DEADLINE = 30.0  # seconds for the whole answer, however steadily it drips
LARGEST = 16 * 1024 * 1024
_REDIRECTS = range(300, 400)
_REFUSED = (401, 403)


def ask(*, url: str, key: str) -> bytes:
    """The body of ``GET <url>/model/info``. Raises ``Misconfigured`` for no address, ``Unavailable`` for no answer."""
    if not is_address(url):
        raise Misconfigured(_("LITELLM_URL: an address such as https://litellm.example.ac.th is wanted."))
    if not (key.isascii() and key.isprintable()):
        raise Misconfigured(_("LITELLM_API_KEY: it holds characters that no key has."))
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return fetch(f"{url.rstrip('/')}{PATH}", headers=headers, limits=Limits(DEADLINE, QUIET, LARGEST))
    except NoAnswer as error:
        raise Unavailable(_in_words(error, url.rstrip("/"))) from error


def _in_words(error: NoAnswer, url: str) -> str:
    if error.why is Why.UNREACHABLE:
        words = _("The model server at %(where)s cannot be reached (%(why)s).")
        return words % {"where": url, "why": error.kind}
    if error.why is Why.LARGE:
        words = _("The model server at %(where)s answered more than %(most)d bytes.")
        return words % {"where": url, "most": LARGEST}
    if error.why is Why.LATE:
        words = _("The model server at %(where)s did not answer within %(seconds)d seconds.")
        return words % {"where": url, "seconds": DEADLINE}
    if error.status in _REFUSED:
        words = _("The model server at %(where)s refuses our key (HTTP %(status)d); see LITELLM_API_KEY.")
    elif error.status in _REDIRECTS:
        words = _("The model server at %(where)s sends us elsewhere (HTTP %(status)d); set its own address.")
    else:
        words = _("The model server at %(where)s answered HTTP %(status)d.")
    return words % {"where": url, "status": error.status}
