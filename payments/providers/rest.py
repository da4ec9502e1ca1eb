"""A small JSON client for providers whose own libraries know no timeout."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from threading import local
from typing import Any

from payments.providers.errors import AmountNotAccepted, NotThere, ProviderError, Refused

TIMEOUT = (3.05, 10)  # seconds to connect, and between two bytes of the answer
_TOO_MANY = 429
_SERVER = 500
NOT_FOUND = 404
_thread = local()  # a connection of its own for each thread: they are kept open, and sessions are not shared safely
_LARGEST = 4 * 1024 * 1024  # bytes of an answer


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
        data = self._json(answer)
        if answer.status_code in {408, 409, _TOO_MANY} or answer.status_code >= _SERVER:
            raise ProviderError(f"The payment provider answered {answer.status_code}: {_words(data)}")
        if not answer.ok:
            if data is None:
                raise ProviderError(f"The payment provider answered {answer.status_code} without a reason.")
            if answer.status_code in {401, 403}:  # says nothing about what an earlier call did
                raise ProviderError(f"The payment provider does not accept our keys ({answer.status_code}).")
            if answer.status_code == NOT_FOUND:
                raise NotThere("The payment provider knows no such thing.")
            raise self.refusal(data)
        if data is None:
            raise ProviderError("The payment provider's answer is not JSON.")
        return data

    def text(self, url: str) -> tuple[str, str]:
        """Content type and text of a small public file, such as a picture."""
        answer = self._send("GET", url, auth=False)
        if not answer.ok or len(answer.content) > _LARGEST:
            raise ProviderError(f"The payment provider's file answered {answer.status_code}.")
        return answer.headers.get("Content-Type", ""), answer.content.decode("utf-8", "replace")

    def refusal(self, data: Mapping[str, Any]) -> Refused:
        words, code = _words(data), _code(data)
        kind = AmountNotAccepted if "amount" in code or "amount" in words.lower() else Refused
        return kind(f"The payment provider refused: {words}", provider_code=code)

    def _send(self, method: str, url: str, *, auth: bool = True, **what: Any) -> Any:
        import requests

        session = getattr(_thread, "session", None)
        if session is None:
            session = _thread.session = requests.Session()
        what["headers"] = {**(self.headers if auth else {}), **(what.get("headers") or {})}
        try:
            return session.request(
                method, url, auth=self.auth if auth else None, timeout=TIMEOUT, allow_redirects=False, **what
            )
        except requests.RequestException as error:
            raise ProviderError(f"The payment provider does not answer ({type(error).__name__}).") from error

    @staticmethod
    def _json(answer: Any) -> dict[str, Any] | None:
        try:
            data = answer.json(parse_float=Decimal)
        except (ValueError, RecursionError):
            return None
        return data if isinstance(data, dict) else None


def _words(data: Mapping[str, Any] | None) -> str:
    error = data.get("error", data) if data else {}
    if not isinstance(error, Mapping):
        return str(error)[:200]
    return str(error.get("description") or error.get("message") or "no reason given")[:200]


def _code(data: Mapping[str, Any]) -> str:
    error = data.get("error", data)
    return str(error.get("reason") or error.get("code") or "")[:100] if isinstance(error, Mapping) else ""
