"""Write into the journal what documents and money mean."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from billing.services.ledger.journal import post_journal
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock


class Command(AppCommand):
    help = (
        "Post what documents, payments and fees mean for the books. Safe to repeat: what is posted is posted once; what"
        " has changed since gets an entry of the difference. Exit 3 when a document does not add up."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--full", action="store_true", help="look at every row, not only at what has changed")
        parser.add_argument("--dry-run", action="store_true", help="count, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with run_lock("post_journal"):
            done = post_journal(actor=SYSTEM, full=options["full"], dry_run=options["dry_run"])
        for line in done.refused:
            self.stderr.write(line)
        self.exit_code = EXIT_PARTIAL if done.refused else 0
        return {"entries": done.entries, "refused": done.refused, "by_kind": dict(sorted(done.by_kind.items()))}
