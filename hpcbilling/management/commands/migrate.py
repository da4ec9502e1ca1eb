"""Django's ``migrate``, on PostgreSQL by one process at a time: on an empty database two make the same tables."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connection

from core.commands import command_error
from core.database.locks import run_lock
from core.errors import Busy

PATIENCE = 600  # seconds
PAUSE = 1.0


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        only_looks = options["plan"] or options["check_unapplied"] or options["database"] != DEFAULT_DB_ALIAS
        with ExitStack() as held:
            if connection.vendor == "postgresql" and not only_looks:
                self._wait_for_our_turn(held)
            super().handle(*args, **options)

    def _wait_for_our_turn(self, held: ExitStack) -> None:
        """Asked again and again: a statement that waits would hold up an index that the other builds concurrently."""
        until, told = time.monotonic() + PATIENCE, False
        while True:
            try:
                held.enter_context(run_lock("migrate"))
            except Busy as error:
                if time.monotonic() >= until:
                    raise command_error(error) from error
                if not told:
                    self.stderr.write("Another migrate is under way; waiting for its end.")
                    told = True
                time.sleep(PAUSE)
            else:
                return
