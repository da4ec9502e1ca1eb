"""Make the PDFs of finalized invoices and credit notes, and queue them as e-mail."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from billing.services.invoices.documents import SECONDS
from billing.services.invoices.invoice_documents import deliver_invoices, undelivered
from billing.services.invoices.note_documents import deliver_notes, undelivered_notes
from core.commands import EXIT_PARTIAL, AppCommand
from core.database.locks import run_lock
from core.words.wording import about


class Command(AppCommand):
    help = (
        "Make the PDF of each finalized invoice and credit note that has none, and queue it as e-mail where the"
        " organisation wants it. Stops after four minutes; the next run goes on. Safe to repeat. Exit 3 when some"
        " could not be made."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, make and send nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["dry_run"]:
            return {"left": undelivered().count() + undelivered_notes().count()}
        with run_lock("deliver_invoices"):
            begun = time.monotonic()
            found = deliver_invoices()
            notes = deliver_notes(seconds=max(SECONDS - (time.monotonic() - begun), 0))
        failed = {**found.failed, **notes.failed}
        for number, reason in failed.items():
            self.stderr.write(about(number, reason))
        if failed:
            self.exit_code = EXIT_PARTIAL
        return {
            "documents": found.documents + notes.documents, "emails": found.emails + notes.emails, "failed": failed,
            "left": found.left + notes.left,
        }  # fmt: skip
