"""Draft the invoices of a month, and finalize them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from billing.services.invoices.runs import run_invoices
from core.commands import EXIT_PARTIAL, AppCommand, month
from core.context import SYSTEM
from core.database.locks import run_lock
from core.errors import BadInput, UsageError
from core.words.wording import about


class Command(AppCommand):
    help = (
        "Gather jobs, metered usage and fees of a month into one invoice an organisation. Safe to repeat: drafts are"
        " computed anew, finalized invoices stay. Exit 3 when some failed or something on them has to be settled."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", type=month, required=True, metavar="YYYY-MM", help="which month")
        parser.add_argument("--organisation", default="", metavar="NAME", help="only this one")
        parser.add_argument("--finalize", action="store_true", help="give numbers to all that nothing blocks")
        parser.add_argument("--dry-run", action="store_true", help="do it, show it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        asked = {name: options[name] for name in ("month", "organisation", "finalize", "dry_run")}
        with run_lock("run_invoices"):
            try:
                found = run_invoices(actor=SYSTEM, **asked)
            except BadInput as error:  # here that is a month that has not begun
                raise UsageError(error.message) from error
        for name, reason in found.failed.items():
            self.stderr.write(about(name, reason))
        self.exit_code = 0 if found.is_clean else EXIT_PARTIAL
        return {
            "month": f"{options['month']:%Y-%m}", "invoices": found.rows,
            "finalized": sum(row["finalized"] for row in found.rows), "blocked": found.blocked,
            "failed": found.failed,
        }  # fmt: skip

    def describe(self, result: dict[str, Any]) -> str:
        lines = []
        for row in result["invoices"]:
            name = row["number"] or f"draft {row['id']}"
            many = f"{row['lines']:>5} {'line ' if row['lines'] == 1 else 'lines'}"
            total = f"{row['total']:>16} {row['currency']}"
            lines.append(f"{name:<18} {row['status']:<10} {row['organisation']:<30} {many}  {total}")
            lines += [f"    {problem}" for problem in row["problems"]]
        return "\n".join(lines or [f"Nothing to bill in {result['month']}."])
