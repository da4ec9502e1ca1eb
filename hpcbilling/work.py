"""Long work that reads across the apps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import Kind, Outcome, Report
from audit.exporting import recorded_rows
from core.context import Actor
from core.errors import BadInput
from core.exports import ExportFilter, Row, find, table_bytes

FEW = 500  # rows between two looks at the clock


def _export(work: Work, report: Report) -> Outcome:
    """The same file as the page sends, kept until it is fetched."""
    asked: dict[str, Any] = dict(work.parameters)
    export = find(asked["export"])
    if not work.owner.has_perms(export.permissions):
        raise BadInput(_("You may not have this table any more."))
    days = {name: date.fromisoformat(asked["filter"][name]) for name in ("start", "end") if asked["filter"].get(name)}
    flt = ExportFilter(**{**asked["filter"], "start": None, "end": None, **days})
    rows = recorded_rows(actor=Actor(str(work.owner_id)), export=export, flt=flt, file_format=asked["format"])
    name = export.file_name(flt, asked["format"])
    counted = _Counted(rows, report)
    size = report.write(table_bytes(name, export.title, export.columns, counted, byte_mark=export.byte_mark))
    return Outcome({"rows": counted.number, "bytes": size}, file_name=name)


class _Counted:
    def __init__(self, rows: Iterable[Row], report: Report) -> None:
        self.rows, self.report, self.number = rows, report, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.number += 1
            if self.number % FEW == 0:
                self.report(self.number)
            yield row


def _title(work: Work) -> str:
    return f"{find(work.parameters['export']).title} ({work.parameters['format'].upper()})"


EXPORT = Kind(gettext_lazy("export"), _export, title=_title)
