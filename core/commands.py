"""Base of our management commands: text or JSON out, exit codes that a script can act on."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from abc import abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from core.database.outage import is_outage, lacks_something
from core.errors import AppError, UsageError
from core.periods import day_start

EXIT_PARTIAL = 3
SAME = 1.0  # second in which a further SIGTERM is the same one: timeout(1) sends two
Day = TypeVar("Day", bound=date)
YEARS = range(1971, 2100)  # of days and instants that are taken as arguments


def day(text: str) -> date:
    """Argument type: an ISO day such as 2026-10-31."""
    try:
        return _in_range(date.fromisoformat(text), text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a day; write it as 2026-10-31") from error


def _in_range(value: Day, text: str) -> Day:
    if value.year not in YEARS:
        raise ArgumentTypeError(f"{text!r} is not between {YEARS[0]} and {YEARS[-1]}")
    return value


def month(text: str) -> date:
    """Argument type: a month such as 2026-10; its first day."""
    try:
        return _in_range(datetime.strptime(text, "%Y-%m").date(), text)  # noqa: DTZ007 - a month has no zone
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a month; write it as 2026-10") from error


def file_name(text: str) -> str:
    """Argument type: where to write."""
    if not text.strip():
        raise ArgumentTypeError("the name of a file is needed, and it is empty")
    return text


def moment(text: str) -> date | datetime:
    """Argument type: a day of the site's zone (2026-10-31) or an instant (2026-10-31T17:00:00Z)."""
    try:
        return _in_range(date.fromisoformat(text), text)
    except ValueError:
        pass
    try:
        instant = _in_range(datetime.fromisoformat(text), text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is neither a day (2026-10-31) nor an instant (2026-10-31T17:00:00Z)"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.get_default_timezone())


def first_instant(value: date | datetime | str | None) -> datetime | None:
    """Start of a window: a day begins at its midnight."""
    value = moment(value) if isinstance(value, str) and value else value
    if isinstance(value, datetime):
        return value
    return day_start(value) if isinstance(value, date) else None


def last_instant(value: date | datetime | str | None) -> datetime | None:
    """End of a window: a day is included, an instant is not."""
    value = moment(value) if isinstance(value, str) and value else value
    if isinstance(value, datetime):
        return value
    return day_start(value + timedelta(days=1)) if isinstance(value, date) else None


class AppCommand(BaseCommand):
    """Subclasses fill ``add_options`` and ``run``; ``run`` returns what to print, and sets ``exit_code``.

    Exit: 0 done, 1 failed, 2 usage, 3 done but something was refused, 69
    unreachable, 75 locked by another run, 78 configuration.
    """

    requires_system_checks: list[str] = []
    exit_code = 0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""

    @abstractmethod
    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        """Do the work; the result is printed as text or JSON."""

    def describe(self, result: dict[str, Any]) -> str:
        """Text form of the result; the default is one ``name value`` pair a line."""
        return "\n".join(f"{key:<12} {value}" for key, value in result.items() if value not in ({}, [], ""))

    def _print(self, text: str) -> None:
        with printing():
            self.stdout.write(text)
            self.stdout.flush()

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with unwinding():
                check_text(options)
                result = self.run(options)
                if options["format"] == "json":
                    self._print(json.dumps(result, ensure_ascii=False, default=str))
                elif text := self.describe(result):
                    self._print(text)
        except (AppError, ImproperlyConfigured, DatabaseError, InterfaceError) as error:
            raise command_error(error) from error
        if self.exit_code:
            sys.exit(self.exit_code)


def check_text(options: dict[str, Any]) -> None:
    """Bytes that are no UTF-8 reach Python as halves of characters, which neither a database nor a terminal takes.
    Raises ``UsageError`` with the name of the option."""
    for name, value in options.items():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(each, (str, Path)) and any("\ud800" <= letter <= "\udfff" for letter in str(each)):
                raise UsageError(f"{name}: {str(each)!a} is not UTF-8")


class Terminated(SystemExit):
    """SIGTERM came while a command ran; the exit code is that of a program which it ended."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def unwinding() -> Iterator[None]:
    """SIGTERM ends what runs here as an exception does: files that are not whole go, runs are marked as failed.

    Where something else was set for it (a server's worker, ``run_due --loop``), that stays.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    seen = -SAME

    def end(*_: Any) -> None:
        nonlocal seen
        if monotonic() - seen >= SAME:
            seen = monotonic()
            raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def printing() -> Iterator[None]:
    """Say in words that the output could not be written: its reader went away (``| head``), or the disk is full."""
    try:
        yield
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more to flush at exit
        if isinstance(error, BrokenPipeError):
            raise AppError("The reader of the output went away.") from error
        raise AppError(f"The output cannot be written: {error.strerror or error}") from error


def command_error(error: Exception) -> CommandError:
    """What is printed instead of a traceback, with the exit code that a script can act on."""
    if isinstance(error, AppError):
        return CommandError(error.message, returncode=error.exit_code)
    text = str(error).strip()
    if isinstance(error, ImproperlyConfigured):
        return CommandError(text, returncode=78)
    if lacks_something(error):
        message = f"The database lacks a table or a column; run manage.py migrate first. ({text})"
        return CommandError(message, returncode=78)
    if is_outage(error):
        message = f"The database cannot be reached or refused the work (see DATABASE_URL): {text}"
        return CommandError(message, returncode=69)
    return CommandError(f"The database refused: {text}")
