"""Logs go to the console: readable lines, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from core import context

# What ends a line, or tells a terminal something: C0, DEL, C1 and the separators of Unicode.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BUT_BREAKS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def _escaped(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0], f"\\u{ord(found[0]):04x}")


class TextFormatter(logging.Formatter):
    """One line a message, whatever somebody wrote into an address or a name. Tracebacks keep their lines, set in, so
    that none of them passes for a message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        return _CONTROLS.sub(_escaped, super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _set_in(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _set_in(super().formatStack(stack_info))


def _set_in(lines: str) -> str:
    return "  " + _BUT_BREAKS.sub(_escaped, lines).replace("\n", "\n  ")


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := context.current().request_id:
            line["request_id"] = request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _CONTROLS.sub(_escaped, json.dumps(line, ensure_ascii=False, default=str))


REFUSED = ("DisallowedHost", "RequestDataTooBig", "TooManyFieldsSent", "TooManyFilesSent")


class Refused(logging.Filter):
    """A wrong Host header, or a form of too much, is a mistake, or a scan, of whoever sent it: one warning, without a
    traceback of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
        return logging.getLogger().isEnabledFor(logging.WARNING)  # LOG_LEVEL: Django leaves its own loggers at INFO


def logging_to_console(form: str, level: str) -> dict[str, Any]:
    """The setting ``LOGGING``; ``form`` is ``text`` or ``json``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": "core.logs.TextFormatter"},
            "json": {"()": "core.logs.JsonFormatter"},
        },
        "filters": {"refused": {"()": "core.logs.Refused"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # One line a request comes from our middleware; the development server's own would say it twice.
            "django.server": {"level": "ERROR"},
            # Refusals (4xx) are in that line too; Django's own handlers would print everything a second time.
            "django.request": {"level": "ERROR"},
            **{f"django.security.{name}": {"filters": ["refused"]} for name in REFUSED},
            "django": {"handlers": []},
            "axes": {"level": "ERROR"},
            "stripe": {"level": "WARNING"},  # two lines a call otherwise
        },
    }
