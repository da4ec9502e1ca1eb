"""Write the audit log as NDJSON, for tools/verify_chain.py."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from audit import ndjson, services
from audit.models import AuditLog
from core.commands import AppCommand, file_name, printing
from core.context import SYSTEM
from core.errors import AppError
from core.files import whole_file


class Command(AppCommand):
    help = "Write the audit log as NDJSON (a row a line), which tools/verify_chain.py proves without this site."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=file_name, required=True, metavar="FILE", help="where to (mode 0600); - is standard output"
        )
        parser.add_argument("--from", dest="first", type=int, default=1, metavar="ID", help="the first row (1)")
        parser.add_argument("--dry-run", action="store_true", help="count the rows, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        last = AuditLog.objects.order_by("-id").values_list("id", flat=True).first() or 0
        entries = AuditLog.objects.filter(id__gte=options["first"], id__lte=last)
        if options["dry_run"]:
            return {"rows": entries.count(), "last": last}
        asked = {"format": "ndjson", "first": options["first"], "last": last}
        services.record(actor=SYSTEM, action="export", target="audit_log", status="started", extra=asked)
        count = 0
        try:
            with ExitStack() as opened:
                write: Any = self.stdout.write  # adds no line feed to a line that has one
                if options["out"] == "-":
                    opened.enter_context(printing())
                else:
                    file = opened.enter_context(whole_file(Path(options["out"])))
                    write = lambda line: file.write(line.encode())  # noqa: E731
                for line in ndjson.lines(entries):
                    write(line)
                    count += 1
        except OSError as error:
            raise AppError(f"The export cannot be written: {error}") from error
        services.record(
            actor=SYSTEM, action="export", target="audit_log", status="done", extra={**asked, "rows": count}
        )
        return {} if options["out"] == "-" else {"rows": count, "last": last}
