"""Remind organisations of unpaid invoices, and let their subscriptions follow."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from billing.services.invoices.reminders import send_reminders
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock


class Command(AppCommand):
    help = (
        "Write reminders of invoices that are due soon or overdue, each once, and let subscriptions of organisations"
        " that do not pay become past due, rest, and go on when they have paid. Exit 3: somebody has no address, or a"
        " subscription could not follow."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with run_lock("send_reminders"):
            done = send_reminders(actor=SYSTEM, dry_run=options["dry_run"])
        if not done.is_clean:
            self.exit_code = EXIT_PARTIAL
        return done.as_json()
