"""Import usage from slurmrestd, sacct or a file. The table of exit codes is in docs/slurm.md."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext as _

from core.commands import EXIT_PARTIAL, AppCommand, first_instant, last_instant, moment
from core.context import SYSTEM
from core.progress import shown
from usage.services.imports import import_usage
from usage.services.opening import AUTO, SOURCE_HELP, choices


class Command(AppCommand):
    help = "Import usage. Exit 3: done, but some rows were refused and are in quarantine."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", choices=choices(), default=AUTO, help=SOURCE_HELP)
        parser.add_argument("--file", metavar="PATH", default="", help="accounting text, may be gzipped; - is stdin")
        parser.add_argument("--start", type=moment, metavar="D", help="jobs that ended on this day or later")
        parser.add_argument("--end", type=moment, metavar="D", help="the last day, included (an instant is not)")
        parser.add_argument("--user", metavar="U", default="", help="only this user's jobs")
        parser.add_argument("--cluster", metavar="C", default="", help="only this cluster; names rows that name none")
        parser.add_argument("--delimiter", metavar="S", default="", help="of the file, when it is not detected")
        parser.add_argument("--timezone", metavar="Z", default="", help="zone of local times in the text")
        parser.add_argument("--dry-run", action="store_true", help="the same counters, nothing is stored")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with shown(_("rows")) as show:
            result = import_usage(
                actor=SYSTEM,
                source=options["source"],
                file=options["file"],
                start=first_instant(options["start"]),
                end=last_instant(options["end"]),
                user=options["user"],
                cluster=options["cluster"],
                delimiter=options["delimiter"],
                timezone=options["timezone"],
                dry_run=options["dry_run"],
                on_progress=lambda now: show(now.rows, now.where, now.done),
            )
        self.exit_code = EXIT_PARTIAL if result.quarantined else 0
        return result.as_dict()

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"{name:<12} {value}" for name, value in result.items() if name not in ("by_reason", "notes")]
        lines += [f"  refused: {reason:<24} {number}" for reason, number in result["by_reason"].items()]
        return "\n".join([*lines, *(f"note: {note}" for note in result["notes"])])
