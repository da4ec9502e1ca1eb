"""Look at every alert rule, and tell of those that have something to say."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from core.commands import EXIT_PARTIAL, AppCommand
from usage.services.alert_runs import evaluate


class Command(AppCommand):
    help = "Evaluate the rules that watch usage and cost; queue e-mails and webhook messages for what they found."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would be raised, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        counts = evaluate(dry_run=options["dry_run"])
        if counts["failed"]:
            self.exit_code = EXIT_PARTIAL
        return {**counts}
