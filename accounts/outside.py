"""Addresses that others give us to call: which of them we call, and a call that goes nowhere else.

The name is resolved here, every address behind it is looked at, and the connection is made to an address that was
looked at: nobody resolves it a second time (DNS rebinding). Redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import BadInput

PORTS = (443, 80, 8443)
TOTAL_SECONDS = 10.0  # looking up the name, connecting, sending, the answer
RESOLVE_SECONDS = 5.0
MOST_OF_BODY = 2048  # of the answer; with what is read at once, never 4 kB of it
READ_AT_ONCE = 1024
LONGEST_URL = 500
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Not for the public, whatever the running Python's own tables say.
_CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")  # mapped, NAT64, link-local, unique local, multicast lie outside


class OutsideRefused(BadInput):
    """An address that we do not call."""

    code = "address_refused"

    def __init__(self, message: str) -> None:
        super().__init__(message, field="url")


class NoAnswer(Exception):
    """Nothing usable came back; the words say why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: ``addresses`` were looked at, ``host`` is for its headers and certificate."""

    url: str
    secure: bool
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    milliseconds: int


def check(url: str) -> Target:
    """Look at an address as it is given, and at everything that its name stands for now. Raises ``OutsideRefused``."""
    if len(url) > LONGEST_URL or not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise OutsideRefused(_("Write the address in plain letters, without spaces, such as https://example.org/hook."))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutsideRefused(_("This is not an address that can be called.")) from None
    _check_form(parts.scheme, parts.netloc, parts.hostname or "")
    secure = parts.scheme == "https"
    port = port if port is not None else (443 if secure else 80)
    host = (parts.hostname or "").lower()
    found = _addresses(host, port)
    inside = all(_allowed(address) for address in found)
    if port not in PORTS and not inside:
        raise OutsideRefused(_("Only the ports 443, 8443 and 80 are called."))
    if not all(_allowed(address) or is_public(address) for address in found):
        raise OutsideRefused(_("This address is not on the public internet; it is not called."))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(url, secure, host, port, path, tuple(str(address) for address in found))


def _check_form(scheme: str, netloc: str, host: str) -> None:
    if scheme not in ("https", "http") or not host:
        raise OutsideRefused(_("The address must begin with https://."))
    if scheme == "http" and not settings.WEBHOOK_HTTP_ALLOWED:
        raise OutsideRefused(_("The address must begin with https://: what is sent must not be read on the way."))
    if "@" in netloc:
        raise OutsideRefused(_("Leave user name and password out of the address; messages are signed."))
    if "%" in host or ("[" not in netloc and not _HOST.fullmatch(host.lower())):
        raise OutsideRefused(_("The host name cannot be used; write names in other scripts as xn--…"))


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_IPV6:
        return False
    inside = any(address in network for network in _CLOSED if network.version == address.version)
    return address.is_global and not address.is_multicast and not inside


def _allowed(address: Address) -> bool:
    networks: list[Any] = settings.WEBHOOK_ALLOWED_NETWORKS
    return any(address in network for network in networks if network.version == address.version)


def _addresses(host: str, port: int) -> list[Address]:
    """A literal address in its usual form, or what the name resolves to; odd spellings of numbers are refused."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    labels = host.rstrip(".").split(".")
    if ":" in host or _NUMBER.fullmatch(labels[-1]):
        raise OutsideRefused(_("Write a numeric address in its usual form, such as 192.0.2.1."))
    return _resolve(host, port)


def _resolve(host: str, port: int) -> list[Address]:
    """The system's answer, within a time: a name server of somebody else's may take as long as it likes."""
    answers: queue.Queue[list[str]] = queue.Queue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            rows = []
        answers.put([str(row[4][0]) for row in rows])

    threading.Thread(target=ask, daemon=True).start()
    try:
        texts = answers.get(timeout=RESOLVE_SECONDS)
        found = [ipaddress.ip_address(text) for text in dict.fromkeys(texts)]
    except (queue.Empty, ValueError):
        found = []
    if not found:
        raise OutsideRefused(_("There is no host of the name %(host)s, or nobody says where it is.") % {"host": host})
    return found


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send ``body``; the status that came back. At most ``TOTAL_SECONDS``, whatever the other side does.

    Raises ``OutsideRefused`` and ``NoAnswer``. Never call it inside a transaction.
    """
    begun = time.monotonic()
    deadline = begun + TOTAL_SECONDS
    target = check(url)
    try:
        with _connect(target, deadline) as connection:
            _send(connection, _request(target, body, headers), deadline)
            status = _status(connection, deadline)
    except TimeoutError:
        raise NoAnswer(_("No answer within %(n)d seconds.") % {"n": int(TOTAL_SECONDS)}) from None
    except ssl.SSLError as error:
        raise NoAnswer(_("No safe connection: %(why)s") % {"why": error.reason or error}) from error
    except (OSError, HTTPException) as error:
        raise NoAnswer(_("No answer: %(why)s") % {"why": str(error) or type(error).__name__}) from error
    return Answer(status, int((time.monotonic() - begun) * 1000))


def _connect(target: Target, deadline: float) -> socket.socket:
    """To the first of the addresses that takes the connection; each gets its share of the time."""
    for left, address in zip(range(len(target.addresses), 0, -1), target.addresses, strict=True):
        try:
            plain = socket.create_connection((address, target.port), timeout=_left(deadline) / left)
            break
        except OSError:
            if left == 1:
                raise
    plain.settimeout(_left(deadline))
    if not target.secure:
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host.rstrip("."))
    except BaseException:
        plain.close()
        raise


def _request(target: Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = target.port == (443 if target.secure else 80)
    lines = {
        "Host": host if usual else f"{host}:{target.port}", "User-Agent": "hpcbilling", "Accept": "*/*",
        "Connection": "close", "Content-Length": str(len(body)), **headers,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {target.path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    rest = memoryview(data)
    while rest:
        connection.settimeout(_left(deadline))
        rest = rest[connection.send(rest) :]


class _Until(RawIOBase):
    """What comes in, as far as the deadline: waiting for each byte counts against the whole."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection, self.deadline = connection, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.connection.settimeout(_left(self.deadline))
        return self.connection.recv_into(buffer)

    def makefile(self, *args: Any) -> BufferedReader:
        return BufferedReader(self, READ_AT_ONCE)


def _status(connection: socket.socket, deadline: float) -> int:
    """Of the answer. Its body is of no use to us: a little is taken so that the other side can end in peace."""
    answer = HTTPResponse(_Until(connection, deadline), method="POST")  # type: ignore[arg-type]
    answer.begin()
    status = answer.status
    with suppress(OSError, HTTPException, ValueError):  # the status has come, and that is what counts
        answer.read(MOST_OF_BODY)
    return status


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
