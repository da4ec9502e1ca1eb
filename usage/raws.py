"""The record of a job as it came, cell by cell: a line of text whose columns its import run keeps, or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from typing import Any

from usage.models import ImportRun, Job

QUOTED = (",", ";")  # sacct itself never quotes; spreadsheets and csv writers do, with these
DEFAULT_DELIMITER = "|"


def split_line(text: str, delimiter: str) -> list[str]:
    """Cells of one row as the import splits it; none when its quotes do not fit together."""
    if delimiter not in QUOTED:
        return text.split(delimiter or DEFAULT_DELIMITER)
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def join_cells(cells: Sequence[str], delimiter: str) -> str:
    """The inverse of ``split_line``. Raises ``ValueError`` for a cell that would make two of itself."""
    if delimiter in QUOTED:
        out = StringIO()
        csv.writer(out, delimiter=delimiter).writerow(cells)
        return out.getvalue().removesuffix("\r\n")
    delimiter = delimiter or DEFAULT_DELIMITER
    if any(delimiter in cell or "\n" in cell or "\r" in cell for cell in cells):
        raise ValueError(delimiter)
    return delimiter.join(cells)


def read_raw(job: Job) -> dict[str, str]:
    """``read_cells`` of the record that the job keeps."""
    return read_cells(job.raw, job.import_run)


def read_cells(text: str, run: ImportRun) -> dict[str, str]:
    """Name -> text of every cell that is not empty; nothing when no record was kept.

    JSON is flattened: ``time.start``, ``tres.allocated``. A line that does not fit the
    columns of its run is given whole, without a name.
    """
    if not text.strip():
        return {}
    if text.lstrip().startswith(("{", "[")):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return dict(_flat(found))
    cells = split_line(text, run.delimiter)
    if run.columns and len(cells) == len(run.columns):
        return {str(name): cell for name, cell in zip(run.columns, cells, strict=True) if cell}
    return {"": text}


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    cells: list[tuple[str, str]] = []
    for name, each in value.items():
        if isinstance(each, dict):
            cells += _flat(each, f"{prefix}{name}.")
        elif each not in (None, "", []):
            cells.append((f"{prefix}{name}", _text(each)))
    return cells


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)
