"""Run the periodic commands that are due."""

from __future__ import annotations

import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections

from accounts.services.work import forget_files, run_next
from core.commands import EXIT_PARTIAL, AppCommand
from core.errors import UsageError
from core.words.said import read
from hpcbilling.periodic import look, run_due

WIDTH = 24  # of the longest name of a task, nearly

LOOK = 2.0  # seconds


class Command(AppCommand):
    help = "Run the periodic commands that are due, each by one runner only. With --loop, look again every minute."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--loop", action="store_true", help="keep running; SIGTERM ends it after the current command"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what is due, run nothing")
        parser.add_argument("--pause", type=float, default=60.0, help="seconds between two looks with --loop (60)")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["dry_run"]:
            if options["loop"]:
                raise UsageError("--dry-run and --loop do not go together.")
            return {"due": [outcome.name for outcome in look()]}
        if options["loop"]:
            self._loop(options["pause"])
            return {}
        return self._once(threading.Event())

    def _once(self, stop: threading.Event) -> dict[str, Any]:
        outcomes = []
        for outcome in run_due():
            outcomes.append({"name": outcome.name, "status": outcome.status, "error": read(outcome.error)})
            if stop.is_set():
                break
        forget_files()
        works = []
        while not stop.is_set() and (work := run_next()) is not None:
            works.append({"work": work.pk, "kind": work.kind, "status": work.status})
        if any(outcome["status"] == "failed" for outcome in outcomes):
            self.exit_code = EXIT_PARTIAL
        return {"ran": outcomes, "works": works}

    def _work_between(self, stop: threading.Event, pause: float) -> None:
        """Somebody waits for long work: it is looked for every few seconds, while periodic work is not due."""
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0 and not stop.wait(min(LOOK, left)):
            try:
                while not stop.is_set() and run_next() is not None:
                    pass
            except (DatabaseError, InterfaceError):
                return
            close_old_connections()

    def _loop(self, pause: float) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                if text := self.describe(self._once(stop)):
                    self.stdout.write(text)
            except (DatabaseError, InterfaceError) as error:
                self.stderr.write(f"The database cannot be reached, trying again: {error}")
            close_old_connections()
            self._work_between(stop, pause)
        self.exit_code = 0

    def describe(self, result: dict[str, Any]) -> str:
        if "due" in result:
            return "\n".join(f"{name:<{WIDTH}} due" for name in result["due"])
        return "\n".join(
            f"{item['name']:<{WIDTH}} {item['status']}{': ' + item['error'] if item['error'] else ''}"
            for item in result.get("ran", [])
        )
