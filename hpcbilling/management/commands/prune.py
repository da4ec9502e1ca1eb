"""Delete what is old and no record of money, usage or audit."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from core.commands import AppCommand
from hpcbilling.retention import KINDS, USUAL, age, prune


class Command(AppCommand):
    help = "Delete old sign-in counters, sessions, e-mails, webhook messages, content of decided payment messages."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--what", default=",".join(USUAL), help=f"comma-separated: {', '.join(KINDS)} (default: all but audit)"
        )
        parser.add_argument("--older-than", default="90d", help="age, such as 90d (default) or 12h")
        parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        kinds = [kind.strip() for kind in options["what"].split(",") if kind.strip()]
        return {**prune(kinds=kinds, older_than=age(options["older_than"]), dry_run=options["dry_run"])}
