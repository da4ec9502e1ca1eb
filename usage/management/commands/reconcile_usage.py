"""Compare what is stored with what the source says. See docs/slurm.md, Reconciliation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext as _

from core.commands import EXIT_PARTIAL, AppCommand, first_instant, last_instant, moment
from core.context import SYSTEM
from core.progress import shown
from usage.services.opening import AUTO, SOURCE_HELP, choices
from usage.services.reconcile import NAMES, reconcile_usage


class Command(AppCommand):
    help = "Compare stored usage with its source, to the second. Exit 3: they differ. Changes no job."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--start", type=moment, metavar="D", required=True, help="jobs that ended on this day or later"
        )
        parser.add_argument(
            "--end", type=moment, metavar="D", required=True, help="the last day, included (an instant is not)"
        )
        parser.add_argument("--source", choices=choices(), default=AUTO, help=SOURCE_HELP)
        parser.add_argument("--file", metavar="PATH", default="", help="accounting text, may be gzipped; - is stdin")
        parser.add_argument("--cluster", metavar="C", default="", help="only this cluster; names rows that name none")
        parser.add_argument("--delimiter", metavar="S", default="", help="of the file, when it is not detected")
        parser.add_argument("--timezone", metavar="Z", default="", help="zone of local times in the text")
        parser.add_argument("--all", action="store_true", help="list every group, not only those that differ")
        parser.add_argument(
            "--dry-run", action="store_true", help="the same figures, no record of the comparison is kept"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        start, end = first_instant(options["start"]), last_instant(options["end"])
        assert start  # noqa: S101 - both are required arguments
        assert end  # noqa: S101
        with shown(_("rows")) as show:
            result = reconcile_usage(
                actor=SYSTEM,
                start=start,
                end=end,
                source=options["source"],
                file=options["file"],
                cluster=options["cluster"],
                timezone=options["timezone"],
                delimiter=options["delimiter"],
                dry_run=options["dry_run"],
                on_progress=show,
            )
        self.exit_code = 0 if result.equal else EXIT_PARTIAL
        return result.as_dict(everything=options["all"])

    def describe(self, result: dict[str, Any]) -> str:
        plain = ("source", "cluster", "start", "end", "equal", "groups", "differing", "seconds")
        lines = [f"{name:<12} {result[name]}" for name in plain]
        lines += _table("total", result["totals"])
        for row in result["rows"]:
            lines += _table(f"{row['month']} {row['username']} {row['account']}", row)
            if "sreport" in row:
                cut = row["sreport"]
                lines += [
                    f"  sreport {name:<17} {cut['stored'][name]:>20} {cut['sreport'][name]:>20}"
                    for name in ("cpu_core_seconds", "gpu_seconds")
                    if cut["stored"][name] != cut["sreport"][name]
                ]
        return "\n".join([*lines, *(f"note: {note}" for note in result["notes"])])


def _table(title: str, sides: dict[str, Any]) -> list[str]:
    head = f"{title:<27}{'stored':>21}{'source':>21}{'difference':>21}"
    rows = [
        f"  {name:<25}{sides['stored'][name]:>21}{sides['source'][name]:>21}{sides['difference'][name]:>21}"
        for name in NAMES
    ]
    return [head, *rows]
