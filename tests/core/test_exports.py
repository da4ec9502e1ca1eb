"""What leaves the site as CSV and XLSX: text stays text, numbers stay numbers, memory stays flat."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from core.exports import Column, Kind, Row, table_lines
from core.spreadsheets import LONGEST_CELL, write_xlsx

PLANTED = [
    "=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1:A9)", "\t=1", "\r=1", "\n=1", "'=1", "＝1+1", "line\nbreak", 'say "hi", she said',
    "งานทดสอบ ก่ำ", "🚀 emoji", "<r><t>x</t></r>", "<b>&amp;</b>", "_x0041_", "\x01\x1f", "0012", "1e5", "https://x.example/", " edge ",
]  # fmt: skip
COLUMNS = (
    Column("name", "Name"),
    Column("count", "Count", Kind.INT),
    Column("cost", "Cost", Kind.MONEY),
    Column("share", "Share", Kind.NUMBER),
    Column("day", "Day", Kind.DAY),
    Column("at", "At", Kind.MOMENT),
    Column("utc", "UTC", Kind.UTC),
    Column("inside", "Inside", Kind.BOOL),
    Column("facts", "Facts", Kind.JSON),
)
AT = datetime(2026, 10, 31, 17, 0, 1, tzinfo=UTC)  # a second into 1 November in Bangkok
VALUES = (7, Decimal("-1234567.80"), Decimal("0E-10"), date(2026, 10, 31), AT, AT, True, {"ก": 1, "a": None})


def rows() -> list[Row]:
    return [(text, *VALUES) for text in PLANTED] + [(None,) * len(COLUMNS)]


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def workbook(**options: Any) -> Any:
    file = io.BytesIO()
    options.setdefault("rows", rows())
    write_xlsx(file, options.pop("title", "A title"), COLUMNS, **options)
    return openpyxl.load_workbook(file)


def test_a_csv_has_its_mark_stable_names_and_no_formula() -> None:
    text = "".join(table_lines(COLUMNS, rows()))
    assert text.startswith("\ufeffname,count,cost,share,day,at,utc,inside,facts\r\n")
    for planted, line in zip(PLANTED, read_csv(text)[1:], strict=False):
        assert line[0] in (planted, "'" + planted)
        assert not line[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))


def test_a_csv_says_plain_numbers_iso_days_and_nothing_for_nothing() -> None:
    lines = read_csv("".join(table_lines(COLUMNS, rows())))
    assert lines[1][1:] == [
        "7", "-1234567.80", "0.0000000000", "2026-10-31", "2026-11-01T00:00:01+07:00", "2026-10-31T17:00:01Z", "true",
        '{"a": null, "ก": 1}',
    ]  # fmt: skip
    assert lines[-1] == [""] * len(COLUMNS)


def test_text_in_a_workbook_is_text_whatever_it_looks_like() -> None:
    sheet = workbook().active
    for planted, cell in zip(PLANTED, list(sheet["A"])[1:], strict=False):
        assert cell.data_type == "s", planted
        assert cell.hyperlink is None
        expected = "'" + planted if planted.startswith("<r>") else planted
        assert unescape(str(cell.value)) == expected


def test_no_formula_and_no_foreign_markup_reach_the_file_itself() -> None:
    file = io.BytesIO()
    write_xlsx(file, "t", COLUMNS, rows())
    with zipfile.ZipFile(file) as archive:
        markup = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in markup
    assert "<r><t>x" not in markup
    assert "<b>&amp;" not in markup


def test_numbers_and_days_in_a_workbook_are_real_ones_with_a_format() -> None:
    sheet = workbook().active
    cells = list(sheet[2])
    assert [cell.data_type for cell in cells[1:8]] == ["n", "n", "n", "d", "d", "d", "b"]
    assert (cells[1].value, cells[2].value) == (7, -1234567.8)
    assert cells[2].number_format == "#,##0.00"
    assert (cells[4].value.date(), cells[4].number_format) == (date(2026, 10, 31), "yyyy-mm-dd")
    assert f"{cells[5].value}" == "2026-11-01 00:00:01"  # the site's clock
    assert f"{cells[6].value}" == "2026-10-31 17:00:01"  # UTC
    assert [cell.value for cell in sheet[len(PLANTED) + 2]] == [None] * len(COLUMNS)


def test_the_head_is_bold_frozen_and_carries_a_filter() -> None:
    sheet = workbook().active
    assert [cell.value for cell in sheet[1]] == [column.label for column in COLUMNS]
    assert all(cell.font.bold for cell in sheet[1])
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == f"A1:I{len(PLANTED) + 2}"


def test_a_full_sheet_is_followed_by_another_with_the_same_head() -> None:
    book = workbook(title="Lines: a [very] long title of a sheet?", most_rows=10)
    assert [sheet.title for sheet in book] == [
        "Lines  a  very  long titl",
        "Lines  a  very  long titl (2)",
        "Lines  a  very  long titl (3)",
    ]
    assert [sheet.max_row for sheet in book] == [10, 10, 4]  # the last row is empty
    assert all(sheet["A1"].value == "Name" and sheet.freeze_panes == "A2" for sheet in book)
    names = [cell.value for sheet in book for cell in list(sheet["A"])[1:]]
    assert len(names) == len(PLANTED)


def test_a_text_longer_than_a_cell_is_cut_with_a_sign_never_dropped() -> None:
    sheet = workbook(rows=[("ก" * 40_000, *VALUES)]).active
    assert len(sheet["A2"].value) == LONGEST_CELL
    assert sheet["A2"].value.endswith("…")


def test_an_empty_table_still_has_its_head() -> None:
    assert [cell.value for cell in workbook(rows=[]).active[1]] == [column.label for column in COLUMNS]
    assert len(read_csv("".join(table_lines(COLUMNS, [])))) == 1


def test_the_first_bytes_leave_before_the_last_row_is_read() -> None:
    read = []

    def endless() -> Iterator[Row]:
        for number in range(10_000):
            read.append(number)
            yield (str(number), *VALUES)

    lines = table_lines(COLUMNS, endless())
    assert next(lines).startswith("\ufeffname,count")
    assert read == []
    next(lines)
    assert 0 < len(read) < 1_000


def test_a_reader_that_leaves_closes_the_rows() -> None:
    closed = []

    def table() -> Iterator[Row]:
        try:
            while True:
                yield ("x", *VALUES)
        finally:
            closed.append(True)

    lines = table_lines(COLUMNS, table())
    next(lines), next(lines)
    assert closed == []
    lines.close()  # type: ignore[attr-defined]
    assert closed == [True]


MEASURE = """
import resource, sys, tempfile
import django
django.setup()
from core.exports import Column, Kind, table_lines
from core.spreadsheets import write_xlsx
columns = [Column("a", "A"), Column("b", "B", Kind.MONEY)]
from decimal import Decimal
def rows(number):
    for n in range(number):
        yield ("x" * 400 + str(n), Decimal(n))
def work(number):
    if sys.argv[1] == "csv":
        return sum(len(text) for text in table_lines(columns, rows(number)))
    with tempfile.TemporaryFile() as file:
        return write_xlsx(file, "t", columns, rows(number))
work(5_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
work(50_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_fifty_thousand_rows_take_no_more_memory_than_five_thousand(kind: str) -> None:
    """20 MB of text; the resident size of a process of its own may grow by a tenth of that."""
    with tempfile.TemporaryFile() as errors:
        run = subprocess.run([sys.executable, "-c", MEASURE, kind], stdout=subprocess.PIPE, stderr=errors, check=True)
    assert int(run.stdout) < 2_000, f"{run.stdout!r} KiB more"
