"""Charge the fees of periods that have begun."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from billing.services.subscriptions.renewals import renew_subscriptions
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock


class Command(AppCommand):
    help = (
        "Charge the fee of every period that has begun, and end subscriptions that were to end with theirs."
        " Exit 3: some could not be renewed; they stay as they are, and the next run tries them again."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with run_lock("renew_subscriptions"):
            found = renew_subscriptions(actor=SYSTEM, dry_run=options["dry_run"])
        if found.failed:
            self.exit_code = EXIT_PARTIAL
        return found.as_json()

    def describe(self, result: dict[str, Any]) -> str:
        notes = result.pop("notes")
        result["sums"] = ", ".join(f"{total} {currency}" for currency, total in result["sums"].items())
        return "\n".join([super().describe(result), *notes])
