"""Make the PDFs of finalized invoices and queue them as e-mail."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from billing.services.invoice_documents import deliver_invoices, undelivered
from core.commands import EXIT_PARTIAL, AppCommand
from core.locks import run_lock


class Command(AppCommand):
    help = (
        "Make the PDF of each finalized invoice that has none, and queue it as e-mail where the organisation wants it."
        " Stops after four minutes; the next run goes on. Safe to repeat. Exit 3 when some could not be made."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, make and send nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["dry_run"]:
            return {"left": undelivered().count()}
        with run_lock("deliver_invoices"):
            found = deliver_invoices()
        for number, reason in found.failed.items():
            self.stderr.write(f"{number}: {reason}")
        if found.failed:
            self.exit_code = EXIT_PARTIAL
        return {"documents": found.documents, "emails": found.emails, "failed": found.failed, "left": found.left}
