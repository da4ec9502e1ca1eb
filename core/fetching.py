"""Fetching one document from an address that staff have set: the whole answer within a deadline, up to a size, from no
other address. Who asks words the trouble."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

DEADLINE = 30.0  # seconds for the whole answer, however steadily it drips
QUIET = 10.0  # seconds to connect, and between two parts of the answer
LARGEST = 16 * 1024 * 1024
_OK = 200
_PART = 64 * 1024


class Why(Enum):
    UNREACHABLE = "unreachable"
    STATUS = "status"
    LARGE = "large"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Limits:
    deadline: float = DEADLINE
    quiet: float = QUIET
    largest: int = LARGEST


class NoAnswer(Exception):
    """``status`` is the answer's for ``Why.STATUS``; ``kind`` names the error of an address that is not reached."""

    def __init__(self, why: Why, *, status: int = 0, kind: str = "") -> None:
        super().__init__(why.value)
        self.why, self.status, self.kind = why, status, kind


def is_address(url: str) -> bool:
    """One that may be fetched: http or https, with a host, without a user's name in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username


def fetch(url: str, *, headers: Mapping[str, str] | None = None, limits: Limits = Limits()) -> bytes:
    """The body of ``GET url``. Raises ``NoAnswer``; a redirect is one, too."""
    found: list[bytes | NoAnswer] = []
    # A thread of its own: the lines of the head may drip, too, and no timeout of a socket covers all of them.
    work = threading.Thread(target=_fetch, args=(url, dict(headers or {}), limits, found), daemon=True)
    work.start()
    work.join(limits.deadline)
    if not found:
        raise NoAnswer(Why.LATE)
    if isinstance(found[0], NoAnswer):
        raise found[0]
    return found[0]


def _fetch(url: str, headers: dict[str, str], limits: Limits, found: list[bytes | NoAnswer]) -> None:
    import requests
    import urllib3

    began = monotonic()
    try:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a netrc may see or replace what is sent
            answer = session.get(url, headers=headers, timeout=limits.quiet, allow_redirects=False, stream=True)
            if answer.status_code != _OK:
                raise NoAnswer(Why.STATUS, status=answer.status_code)
            found.append(_body(answer.raw, limits, began))
    except NoAnswer as error:
        found.append(error)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        found.append(NoAnswer(Why.UNREACHABLE, kind=type(error).__name__))


def _body(raw: Any, limits: Limits, began: float) -> bytes:
    body = bytearray()
    while part := raw.read1(_PART, decode_content=True):
        body += part
        if len(body) > limits.largest:
            raise NoAnswer(Why.LARGE)
        if monotonic() - began > limits.deadline:
            raise NoAnswer(Why.LATE)
    return bytes(body)
