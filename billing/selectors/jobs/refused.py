"""Jobs that have not arrived because their record was refused. Reads only."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from billing.selectors.jobs.standing import refused_standing
from usage.models import QuarantinedRow, ReviewStatus
from usage.raws import read_cells
from usage.reasons import in_words

MOST = 10
LOOKED_AT = 500  # rows that hold the id somewhere in their text
_ID_CELLS = ("jobid", "jobidraw", "job_id")


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """Where it came from, what it says and why it was refused; ``status`` is open or dismissed."""

    row: int
    status: str
    reason: str
    words: str
    detail: str
    run: int
    source: str
    file: str
    line: int
    at: datetime
    note: str
    record: dict[str, str]


def explain_refused(which: str) -> dict[str, Any] | None:
    """The standing and the refused rows of a job id, or of a job key; None when no row is of it."""
    found = _rows_of(which)
    if not found:
        return None
    standing = refused_standing(found[0], which)
    return {
        "job": {"asked": which, "username": found[0].username},
        "standing": asdict(standing),
        "refused": [asdict(_facts(row)) for row in found],
    }


def _rows_of(which: str) -> list[QuarantinedRow]:
    """Open ones first, then the newest. What a broken row could not tell is looked for in its text."""
    rows = QuarantinedRow.objects.exclude(status=ReviewStatus.ACCEPTED).select_related("run").order_by("-status", "-id")
    parts = which.split(":")
    number = parts[-2] if len(parts) > 2 else which  # noqa: PLR2004 - cluster:id:submit
    if found := list(rows.filter(Q(job_key=which) | Q(job_id_display=number))[:MOST]):
        return found
    if not re.fullmatch(r"[\w+\[\],%-]+", number):
        return []
    near = rows.filter(raw__contains=number)[:LOOKED_AT]
    return [row for row in near if _is_of(row, number)][:MOST]


def _is_of(row: QuarantinedRow, number: str) -> bool:
    cells = {name.lower(): cell.strip() for name, cell in read_cells(row.raw, row.run).items()}
    if ids := [cells[name] for name in _ID_CELLS if name in cells]:
        return number in ids
    return re.search(rf"(?<![\w.:-]){re.escape(number)}(?![\w.:-])", row.raw) is not None


def _facts(row: QuarantinedRow) -> RefusedRow:
    return RefusedRow(
        row=row.pk, status=row.status, reason=row.reason, words=in_words(row.reason), detail=row.detail, run=row.run_id,
        source=row.source, file=row.run.file_name, line=row.line_no, at=row.created_at, note=row.note,
        record=read_cells(row.raw, row.run),
    )  # fmt: skip
