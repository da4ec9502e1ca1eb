"""Import usage from slurmrestd, sacct or a file. The table of exit codes is in docs/slurm.md."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.periods import day_start
from usage.services.imports import import_usage


def moment(text: str) -> date | datetime:
    """Argument type: a day of the site's zone (2026-10-31) or an instant (2026-10-31T17:00:00Z)."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is neither a day (2026-10-31) nor an instant (2026-10-31T17:00:00Z)"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.get_default_timezone())


class Command(AppCommand):
    help = "Import usage. Exit 3: done, but some rows were refused and are in quarantine."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", choices=("auto", "slurmrestd", "sacct", "csv"), default="auto")
        parser.add_argument("--file", metavar="PATH", default="", help="accounting text, may be gzipped; - is stdin")
        parser.add_argument("--start", type=moment, metavar="D", help="jobs that ended on this day or later")
        parser.add_argument("--end", type=moment, metavar="D", help="the last day, included (an instant is not)")
        parser.add_argument("--user", metavar="U", default="", help="only this user's jobs")
        parser.add_argument("--cluster", metavar="C", default="", help="only this cluster; names rows that name none")
        parser.add_argument("--delimiter", metavar="S", default="", help="of the file, when it is not detected")
        parser.add_argument("--timezone", metavar="Z", default="", help="zone of local times in the text")
        parser.add_argument("--dry-run", action="store_true", help="the same counters, nothing is stored")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        result = import_usage(
            actor=SYSTEM,
            source=options["source"],
            file=options["file"],
            start=_instant(options["start"]),
            end=_instant(options["end"], last=True),
            user=options["user"],
            cluster=options["cluster"],
            delimiter=options["delimiter"],
            timezone=options["timezone"],
            dry_run=options["dry_run"],
            on_progress=lambda rows: self.progress(f"{rows:,} rows"),
        )
        self.exit_code = EXIT_PARTIAL if result.quarantined else 0
        return result.as_dict()

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"{name:<12} {value}" for name, value in result.items() if name not in ("by_reason", "notes")]
        lines += [f"  refused: {reason:<24} {number}" for reason, number in result["by_reason"].items()]
        return "\n".join([*lines, *(f"note: {note}" for note in result["notes"])])


def _instant(value: date | datetime | str | None, *, last: bool = False) -> datetime | None:
    value = moment(value) if isinstance(value, str) and value else value
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return day_start(value + timedelta(days=1) if last else value)
    return None
