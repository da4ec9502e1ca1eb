"""Requests, replies and routes: what the three servers share below their own formats."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote


@dataclass(slots=True)
class Request:
    """``target`` is the path with its query as received; ``headers`` keep their spelling."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    fault: str | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str:
        """Value of a header whatever its spelling; "" if absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    @property
    def query(self) -> dict[str, Any]:
        return brackets(self.target.partition("?")[2])

    @property
    def params(self) -> dict[str, Any]:
        """The query for GET, else the body: JSON or a bracketed form, as the content type says."""
        if self.method == "GET":
            return self.query
        if "json" in self.header("Content-Type"):
            return as_object(self.body)
        return brackets(self.body.decode("utf-8", "replace"))

    def basic(self) -> tuple[str, str]:
        """User and password of HTTP Basic; empty texts if absent or broken."""
        scheme, _, value = self.header("Authorization").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password


@dataclass(slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def json_reply(payload: Any, status: int = 200, **headers: str) -> Reply:
    named = {"Content-Type": "application/json; charset=utf-8"}
    named.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Reply(status, json.dumps(payload, ensure_ascii=False).encode(), named)


class Refused(Exception):
    """A request the provider turns down. ``stored``: it got far enough to be kept under its idempotency key."""

    def __init__(self, status: int, message: str, *, stored: bool = False, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.stored = stored
        self.details = details


@dataclass(frozen=True, slots=True)
class Route:
    """``path`` is a pattern with named groups, given to ``run(fake, request, **groups)``.

    ``public`` routes ask for no key: pages for browsers and pictures.
    """

    method: str
    path: str
    run: Callable[..., Any]
    public: bool = False

    def match(self, method: str, path: str) -> dict[str, str] | None:
        found = re.fullmatch(self.path, path) if method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def as_object(body: bytes) -> dict[str, Any]:
    """A JSON object; {} for an empty body; Refused for anything else."""
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise Refused(400, "The request body is not JSON.") from None
    if not isinstance(value, dict):
        raise Refused(400, "The request body is not a JSON object.")
    return value


def brackets(text: str) -> dict[str, Any]:
    """``a[b][0][c]=1&d[]=2`` -> {"a": {"b": [{"c": "1"}]}, "d": ["2"]}; values stay text."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = re.split(r"\]?\[", name.removesuffix("]"))
        node, key = root, head
        for part in rest:
            deeper = node.setdefault(key, {})
            if not isinstance(deeper, dict):
                break
            node, key = deeper, part or str(len(deeper))
        node[key] = value
    return {key: _lists(value) for key, value in root.items()}


def _lists(value: Any) -> Any:
    """Objects whose keys are all numbers were lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(part) for key, part in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner
