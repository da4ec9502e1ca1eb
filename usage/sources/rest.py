"""Asking a slurmrestd: headers, TLS, limits, and what its answers mean.

It reports most trouble inside HTTP 200 or 500 as ``errors``: an answer counts only
when that list is empty.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any

import requests
from django.conf import settings
from urllib3.exceptions import ReadTimeoutError

from core.errors import Unavailable
from core.words.said import told as _
from usage.sources import connections
from usage.sources.windows import TooMuch

NOTHING_FOUND = 9003
AUTH_ERRORS = (1007,)
TOO_MUCH = (7006, 7007)  # slurmdbd's own limits: MaxQueryTimeRange, and of the size of a result
CHUNK = 1 << 20


class Reply:
    """Status and body of one answer, read whole."""

    def __init__(self, status: int, content: bytes) -> None:
        self.status, self.content = status, content

    @property
    def missing(self) -> bool:
        return bool(self.status == requests.codes.not_found)

    def json(self) -> dict[str, Any]:
        """The answer's JSON object. Raises ``Unavailable`` for everything that is not one."""
        if self.status in (requests.codes.unauthorized, requests.codes.forbidden):
            words = _("slurmrestd refuses the token or the user name (HTTP %(status)d); renew SLURMRESTD_TOKEN.")
            raise Unavailable(words % {"status": self.status})
        try:
            # Bytes that are not UTF-8 survive as half surrogates: refused in an identity, replaced in free text.
            body = json.loads(self.content.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            return body
        text = self.content[:200].decode("utf-8", "replace").strip()
        if text.startswith("<"):
            words = _("slurmrestd answered with a web page (HTTP %(status)d): is SLURMRESTD_URL a proxy's?")
            raise Unavailable(words % {"status": self.status})
        words = _("slurmrestd answered HTTP %(status)d without JSON: %(text)r")
        raise Unavailable(words % {"status": self.status, "text": text})

    def found(self, name: str) -> list[Any]:
        """The list ``name`` of the answer; empty where Slurm says that nothing matches.

        Raises ``TooMuch`` where Slurm says that, else ``Unavailable``.
        """
        body = self.json()
        if self._nothing_found(body):
            return []
        rows = body.get(name)
        if not isinstance(rows, list):
            raise Unavailable(_("slurmrestd answered JSON without a list of %(name)s.") % {"name": name})
        return rows

    def _nothing_found(self, body: dict[str, Any]) -> bool:
        given = body.get("errors") or []
        listed = given if isinstance(given, list) else [given]
        errors = [error if isinstance(error, dict) else {"error": error} for error in listed]
        if errors and all(error.get("error_number") == NOTHING_FOUND for error in errors):
            return True
        if errors:
            first = next(error for error in errors if error.get("error_number") != NOTHING_FOUND)
            said = " - ".join(str(first[name]) for name in ("error", "description", "source") if first.get(name))
            said = said or json.dumps(first)[:200]
            code = first.get("error_number")
            if code in AUTH_ERRORS:
                words = _("slurmrestd: the token has expired or is refused (error %(code)s: %(said)s).")
                raise Unavailable(words % {"code": code, "said": said})
            words = _("slurmrestd reports error %(code)s: %(said)s (HTTP %(status)d).")
            trouble = TooMuch if code in TOO_MUCH else Unavailable
            raise trouble(words % {"code": code, "said": said, "status": self.status})
        if self.status != requests.codes.ok:
            raise Unavailable(_("slurmrestd answered HTTP %(status)d without saying why.") % {"status": self.status})
        return False


class Client:
    """A connection to one cluster's slurmrestd. ``user`` is whom the token was made for."""

    def __init__(self, cluster: str, timeout: float = 0) -> None:
        self.url = connections.url(cluster)
        self.timeout = timeout or settings.SLURMRESTD_TIMEOUT
        token = connections.token(cluster)
        self.user = connections.token_user(cluster) or _subject(token)
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a netrc may see or replace the token
        self._session.headers["X-SLURM-USER-TOKEN"] = token
        if self.user:
            self._session.headers["X-SLURM-USER-NAME"] = self.user
        self._session.verify = connections.trust(cluster)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *args: object) -> None:
        self._session.close()

    def get(self, path: str, query: dict[str, str] | None = None) -> Reply:
        """Raises ``TooMuch`` where a smaller question may help (time, size), else ``Unavailable``."""
        began = time.monotonic()
        try:
            with self._session.get(
                f"{self.url}{path}", params=query, timeout=self.timeout, allow_redirects=False, stream=True
            ) as response:
                return Reply(response.status_code, self._body(response, began))
        except requests.exceptions.SSLError as error:
            words = _("slurmrestd at %(where)s: the TLS certificate is refused (%(why)s).")
            raise Unavailable(words % {"where": self.url, "why": _reason(error)}) from error
        except requests.exceptions.ReadTimeout as error:
            raise self._late() from error
        except (requests.exceptions.RequestException, OSError) as error:
            if any(isinstance(argument, ReadTimeoutError) for argument in error.args):
                raise self._late() from error
            words = _("slurmrestd at %(where)s cannot be reached (%(why)s).")
            raise Unavailable(words % {"where": self.url, "why": _reason(error)}) from error

    def _body(self, response: requests.Response, began: float) -> bytes:
        """The body as it comes; reading stops once it is over the limit of size or time."""
        most, held = settings.SLURMRESTD_MAX_BYTES, bytearray()
        for chunk in response.iter_content(CHUNK):
            held += chunk
            if len(held) > most:
                words = _("slurmrestd at %(where)s answered more than %(most)d bytes (SLURMRESTD_MAX_BYTES).")
                raise TooMuch(words % {"where": self.url, "most": most})
            if time.monotonic() - began > 2 * self.timeout:
                raise self._late()
        return bytes(held)

    def _late(self) -> TooMuch:
        words = _("slurmrestd at %(where)s did not answer within %(seconds)s seconds.")
        return TooMuch(words % {"where": self.url, "seconds": self.timeout})


def _subject(token: str) -> str:
    """The user a JWT was made for; the header must name the same one. Not verified here, slurmrestd does that."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("sun") or claims.get("sub") or "")
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return ""


def _reason(error: Exception) -> str:
    """What went wrong, without the request (whose headers hold the token)."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return f"{type(cause).__name__}: {cause}"[:200]
