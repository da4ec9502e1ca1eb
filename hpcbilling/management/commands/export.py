"""Write one export to a file or to standard output."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from audit.exporting import recorded_rows
from core.commands import AppCommand, day, file_name, printing
from core.context import SYSTEM
from core.errors import AppError, BadInput, UsageError
from core.exports import FORMATS, OPTIONS, Export, ExportFilter, Row, find, table_lines
from core.files import whole_file
from core.spreadsheets import write_xlsx

STDOUT = "-"


class Command(AppCommand):
    help = "Write a table of receipts, usage, payments or the audit log as CSV or XLSX. The audit log has each export."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", choices=tuple(settings.EXPORTS), metavar="NAME", help=", ".join(settings.EXPORTS))
        parser.add_argument("--start", type=day, metavar="D", help="first day, such as 2026-10-01")
        parser.add_argument("--end", type=day, metavar="D", help="last day, included")
        parser.add_argument(
            "--out", type=file_name, default=STDOUT, metavar="FILE", help="where to; - is standard output (default)"
        )
        parser.add_argument("--file-format", choices=FORMATS, help="csv or xlsx (default: as FILE ends, else csv)")
        for name in ("user", "tier", "status", "account", "cluster"):
            parser.add_argument(f"--{name}", default="", metavar=name[0].upper(), help=f"of this {name} only")
        parser.add_argument("--unbilled", action="store_true", help="focus_1_2: also usage that no receipt holds")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        out, kind = options["out"], _kind(options)
        if out == STDOUT and options["format"] == "json":
            raise UsageError("--format json says what was done; it needs --out FILE, for standard output is the table.")
        flt = ExportFilter(options["start"], options["end"], **{name: options[name] for name in OPTIONS})
        export = find(options["name"])
        try:
            rows = recorded_rows(actor=SYSTEM, export=export, flt=flt, file_format=kind)
        except BadInput as error:
            raise UsageError(error.message) from error
        counter = _Counter(rows)
        with self._target(out) as target:
            _write(target, export, kind, counter)
        return {} if out == STDOUT else {"export": export.name, "format": kind, "rows": counter.count, "file": out}

    @contextmanager
    def _target(self, out: str) -> Iterator[IO[bytes]]:
        """Standard output, or a file that appears only when it is whole, readable by its owner alone."""
        if out == STDOUT:
            with _to_stdout(self.stdout) as stream:
                yield stream
            return
        try:
            with whole_file(Path(out)) as file:
                yield file
        except OSError as error:
            raise AppError(f"{out} cannot be written: {error.strerror or error}") from error


@contextmanager
def _to_stdout(stdout: Any) -> Iterator[IO[bytes]]:
    raw = getattr(stdout, "buffer", None)
    if raw is None:  # a test or a caller collects text
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            stdout.write(file.read().decode("utf-8-sig"), ending="")
        return
    with printing():
        yield raw
        raw.flush()


class _Counter:
    """Rows on their way out, counted."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self.rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self.rows:
            self.count += 1
            yield row

    def close(self) -> None:
        self.rows.close()  # type: ignore[attr-defined]


def _write(target: IO[bytes], export: Export, kind: str, rows: _Counter) -> None:
    if kind == "xlsx":
        with tempfile.TemporaryFile() as file:  # a workbook is written back and forth
            write_xlsx(file, str(export.title), export.columns, rows)
            file.seek(0)
            while block := file.read(1 << 20):
                target.write(block)
        return
    lines = table_lines(export.columns, rows, byte_mark=export.byte_mark)
    try:
        for text in lines:
            target.write(text.encode())
    finally:
        lines.close()  # type: ignore[attr-defined]


def _kind(options: dict[str, Any]) -> str:
    if options["file_format"]:
        return str(options["file_format"])
    ending = Path(options["out"]).suffix.removeprefix(".").lower()
    return ending if ending in FORMATS else "csv"
