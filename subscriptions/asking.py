"""Asking a LiteLLM-compatible server: the whole answer within a deadline, up to a size, from no other address."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from core.errors import Misconfigured, Unavailable

PATH = "/model/info"
DEADLINE = 30.0  # seconds for the whole answer, however steadily it drips
QUIET = 10.0  # seconds to connect, and between two parts of the answer
LARGEST = 16 * 1024 * 1024
_OK = 200
_REDIRECTS = range(300, 400)
_REFUSED = (401, 403)


def ask(*, url: str, key: str) -> bytes:
    """The body of ``GET <url>/model/info``. Raises ``Misconfigured`` for no address, ``Unavailable`` for no answer."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise Misconfigured(_("LITELLM_URL: an address such as https://litellm.example.ac.th is wanted."))
    if not (key.isascii() and key.isprintable()):
        raise Misconfigured(_("LITELLM_API_KEY: it holds characters that no key has."))
    found: list[bytes | Exception] = []
    # A thread of its own: the lines of the head may drip, too, and no timeout of a socket covers all of them.
    work = threading.Thread(target=_ask, args=(url.rstrip("/"), key, found), daemon=True)
    work.start()
    work.join(DEADLINE)
    if not found:
        raise _late(url)
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def _ask(url: str, key: str, found: list[bytes | Exception]) -> None:
    import requests
    import urllib3

    began = monotonic()
    try:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a netrc may see or replace the key
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            answer = session.get(f"{url}{PATH}", headers=headers, timeout=QUIET, allow_redirects=False, stream=True)
            _check(answer.status_code, url)
            found.append(_body(answer.raw, url, began))
    except Unavailable as error:
        found.append(error)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        words = _("The model server at %(where)s cannot be reached (%(why)s).")
        found.append(Unavailable(words % {"where": url, "why": type(error).__name__}))


def _check(status: int, url: str) -> None:
    if status in _REFUSED:
        words = _("The model server at %(where)s refuses our key (HTTP %(status)d); see LITELLM_API_KEY.")
    elif status in _REDIRECTS:
        words = _("The model server at %(where)s sends us elsewhere (HTTP %(status)d); set its own address.")
    elif status != _OK:
        words = _("The model server at %(where)s answered HTTP %(status)d.")
    else:
        return
    raise Unavailable(words % {"where": url, "status": status})


def _body(raw: Any, url: str, began: float) -> bytes:
    body = bytearray()
    while part := raw.read1(64 * 1024, decode_content=True):
        body += part
        if len(body) > LARGEST:
            words = _("The model server at %(where)s answered more than %(most)d bytes.")
            raise Unavailable(words % {"where": url, "most": LARGEST})
        if monotonic() - began > DEADLINE:
            raise _late(url)
    return bytes(body)


def _late(url: str) -> Unavailable:
    words = _("The model server at %(where)s did not answer within %(seconds)d seconds.")
    return Unavailable(words % {"where": url, "seconds": DEADLINE})
