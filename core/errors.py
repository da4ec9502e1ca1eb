"""Errors that surfaces may show: a stable code, words for a person, an HTTP status and an exit code."""

from __future__ import annotations

from typing import ClassVar


class AppError(Exception):
    """Base of every error we raise on purpose. ``code`` is API; ``message`` is for people."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 400
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message if isinstance(message, str) else str(message)  # what was said stays as it was said
        self.details = details

    def headers(self) -> dict[str, str]:
        """Of the HTTP answer that tells of it."""
        return {}


class BadInput(AppError):
    """What was sent cannot be used; the message names the field or row."""

    code = "bad_input"


class UsageError(AppError):
    """A command was called with arguments that do not fit together."""

    code = "usage"
    exit_code = 2


class Conflict(AppError):
    """The state of things does not permit this now."""

    code = "conflict"
    http_status = 409


class InvalidTransition(Conflict):
    code = "invalid_transition"


class Unavailable(AppError):
    """A usage source, payment provider or database cannot be reached or refuses us."""

    code = "unavailable"
    http_status = 503
    exit_code = 69
    retryable = True


class Busy(AppError):
    """Another run holds the lock."""

    code = "busy"
    http_status = 409
    exit_code = 75
    retryable = True


class Misconfigured(AppError):
    """An environment variable is missing or wrong; the message names it."""

    code = "misconfigured"
    http_status = 500
    exit_code = 78
