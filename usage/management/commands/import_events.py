"""Import metered events from a file."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import Project
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM
from core.errors import UsageError
from core.progress import shown
from usage.events.files import KINDS
from usage.services.event_files import import_events


class Command(AppCommand):
    help = "Import metered events from NDJSON or CSV, packed with gzip or not. Exit 3: some lines were refused."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", metavar="PATH", required=True, help="- is standard input")
        parser.add_argument("--kind", choices=KINDS, default="auto", help="what the file is (auto)")
        parser.add_argument("--project", metavar="UUID", type=UUID, help="of events that name none")
        parser.add_argument("--dry-run", action="store_true", help="the same counters, nothing is stored")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with shown(_("events")) as show:
            result = import_events(
                actor=SYSTEM,
                file=options["file"],
                kind=options["kind"],
                project=_project(options["project"]),
                dry_run=options["dry_run"],
                on_progress=show,
            )
        self.exit_code = EXIT_PARTIAL if result.rejected or result.conflict else 0
        return result.as_dict()

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"{name:<12} {value}" for name, value in result.items() if name not in ("by_reason", "notes")]
        lines += [f"  refused: {reason:<24} {number}" for reason, number in result["by_reason"].items()]
        return "\n".join([*lines, *(f"note: {note}" for note in result["notes"])])


def _project(uuid: UUID | None) -> Project | None:
    if uuid is None:
        return None
    project = Project.objects.select_related("organisation").filter(uuid=uuid).first()
    if project is None:
        raise UsageError(_("--project: there is no project %(uuid)s.") % {"uuid": uuid})
    return project
