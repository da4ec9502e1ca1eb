"""A small JSON client for providers whose own libraries know no timeout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from threading import local
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from payments.providers.errors import AmountNotAccepted, NotThere, ProviderError, Refused

TIMEOUT = (3.05, 10)  # seconds to connect, and between two bytes of the answer
LONGEST = 15  # seconds that a whole answer may take, however steadily it drips
_CLIENT = 400
_TOO_MANY = 429
_SERVER = 500
NOT_FOUND = 404
_thread = local()  # a connection of its own for each thread: they are kept open, and sessions are not shared safely
_LARGEST = 4 * 1024 * 1024  # bytes of an answer


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    media_type: str
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < _CLIENT

    def json(self) -> dict[str, Any] | None:
        """None for everything that is no JSON object."""
        try:
            data = json.loads(self.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


class RestClient:
    """``ask`` gives the JSON object of a good answer. ``Refused`` for a 4xx in the provider's own format,
    ``ProviderError`` for everything that leaves the outcome open: no answer, 5xx, 408, 409, 429, or no JSON."""

    def __init__(self, base: str, auth: tuple[str, str], headers: Mapping[str, str]) -> None:
        self.base, self.auth, self.headers = base.rstrip("/"), auth, dict(headers)

    def ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        answer = self._send(method, f"{self.base}{path}", json=body, params=query, headers={**(headers or {})})
        data = answer.json()
        if answer.status in {408, 409, _TOO_MANY} or answer.status >= _SERVER:
            raise ProviderError(f"The payment provider answered {answer.status}: {_words(data)}")
        if not answer.ok:
            if data is None:
                raise ProviderError(f"The payment provider answered {answer.status} without a reason.")
            if answer.status in {401, 403}:  # says nothing about what an earlier call did
                raise ProviderError(f"The payment provider does not accept our keys ({answer.status}).")
            if answer.status == NOT_FOUND:
                raise NotThere("The payment provider knows no such thing.")
            raise self.refusal(data)
        if data is None:
            raise ProviderError("The payment provider's answer is not JSON.")
        return data

    def text(self, url: str) -> tuple[str, str]:
        """Content type and text of a small public file, such as a picture."""
        answer = self._send("GET", url, auth=False)
        if not answer.ok:
            raise ProviderError(f"The payment provider's file answered {answer.status}.")
        return answer.media_type, answer.body.decode("utf-8", "replace")

    def refusal(self, data: Mapping[str, Any]) -> Refused:
        words, code = _words(data), _code(data)
        kind = AmountNotAccepted if "amount" in code or "amount" in words.lower() else Refused
        return kind(f"The payment provider refused: {words}", provider_code=code)

    def _send(self, method: str, url: str, *, auth: bool = True, **what: Any) -> _Answer:
        import requests
        import urllib3

        session = getattr(_thread, "session", None)
        if session is None:
            session = _thread.session = requests.Session()
        what["headers"] = {**(self.headers if auth else {}), **(what.get("headers") or {})}
        try:
            answer = session.request(
                method, url, auth=self.auth if auth else None, timeout=TIMEOUT, allow_redirects=False, stream=True,
                **what,
            )  # fmt: skip
            return _Answer(answer.status_code, answer.headers.get("Content-Type", ""), _body(answer.raw))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            host = urlsplit(url).hostname
            raise ProviderError(f"The payment provider {host} does not answer ({type(error).__name__}).") from error


def _body(raw: Any) -> bytes:
    """The whole body; ``ProviderError`` when it is too long, or too long in coming."""
    began, body = monotonic(), bytearray()
    try:
        while part := raw.read1(64 * 1024, decode_content=True):
            body += part
            if monotonic() - began > LONGEST or len(body) > _LARGEST:
                raise ProviderError("The payment provider's answer does not end.")
    except BaseException:
        raw.close()  # what is left on this connection belongs to no other question
        raise
    raw.release_conn()
    return bytes(body)


def _words(data: Mapping[str, Any] | None) -> str:
    error = data.get("error", data) if data else {}
    if not isinstance(error, Mapping):
        return str(error)[:200]
    return str(error.get("description") or error.get("message") or "no reason given")[:200]


def _code(data: Mapping[str, Any]) -> str:
    error = data.get("error", data)
    return str(error.get("reason") or error.get("code") or "")[:100] if isinstance(error, Mapping) else ""
