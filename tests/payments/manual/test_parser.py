"""Statements as banks write them: where the header stands, how days and amounts look, and what is refused."""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.statements.cells import LONGEST_HEAD, Role, read_amount, read_day, role_of
from payments.statements.reading import Entry, Fault, Unreadable, encoding_of, layout_of, read_entries

LATEST = date(2026, 12, 31)
THAI = "วันที่,รายการ,อ้างอิง,ถอน,ฝาก,คงเหลือ\n"


def read(text: str | bytes, encoding: str = "utf-8", **options: str) -> list[Entry | Fault]:
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode(encoding))
    found = encoding_of(file)
    layout = layout_of(file, found, **options)
    return list(read_entries(file, found, layout, currency="THB", latest=LATEST))


def short(items: list[Entry | Fault]) -> list[tuple[object, ...]]:
    return [
        (each.posted_on.isoformat(), str(each.amount))
        if isinstance(each, Entry)
        else (each.row, each.column, each.code)
        for each in items
    ]


@pytest.mark.parametrize(
    "cell",
    ["2026-10-05", "2569-10-05", "2026-10-05 14:05", "2026-10-05T14:05:33", "5/10/2026", "05/10/2569", "05-10-26",
     "05-10-69", "5.10.2026", "5 Oct 2026", "05-Oct-26", "5 October 2569", "5 ต.ค. 2569", "5 ต.ค. 69", "๕ ตุลาคม ๒๕๖๙",
     "5 ต.ค. พ.ศ. 2569", " 05/10/2026 09:30 "],
)  # fmt: skip
def test_one_day_in_many_hands(cell: str) -> None:
    assert read_day(cell) == date(2026, 10, 5)


@pytest.mark.parametrize("cell", ["", "10/25/2026", "31/02/2026", "2026", "5 Okt 2026", "1/1/1999", "2700-01-01", "x", "01/01/0001",
                                  "01/10/0069"])  # fmt: skip
def test_what_is_no_day(cell: str) -> None:
    assert read_day(cell) is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1,234.50", "1234.50"), ("1234.5", "1234.5"), ("(12.00)", "-12.00"), ("-12", "-12"), ("12.00-", "-12.00"),
     ("−5", "-5"), ("+5", "5"), ("THB 1,000", "1000"), ("฿7.25", "7.25"), ("๑๒.๕๐", "12.50"), ("1,23,456.00", "123456"),
     ("1 234 567.50", "1234567.50"), ("- 1 000 บาท", "-1000"), ("5.00 THB-", "-5")],
)  # fmt: skip
def test_amounts(cell: str, value: str) -> None:
    assert read_amount(cell, "THB") == Decimal(value)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "1.234,50",
        "1234,50",
        "12,34",
        "(5",
        "5)",
        "--5",
        "-(5)",
        "1e9",
        "NaN",
        "1_0",
        "1e2",
        "+-5",
        "+(5)",
        "+-(5)",
        "１２",
        "٣٤",
        "0x10",
        "1" * 12,
        "5 บาท 50",
        "5THB50",
        "12 50",
        "1 000 50",
        "10 000 00",
        "1,000 000",
    ],
)
def test_what_is_no_amount(cell: str) -> None:
    assert read_amount(cell, "THB") is None


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.booleans(), st.sampled_from("/-. "))
def test_every_day_reads_back_in_both_eras(day: date, buddhist: bool, mark: str) -> None:
    year = day.year + (543 if buddhist else 0)
    if mark == " ":
        assert read_day(f"{day.day} {day:%b} {year}") == day
    else:
        assert read_day(f"{day.day:02}{mark}{day.month}{mark}{year}") == day
    assert read_day(f"{year}-{day.month:02}-{day.day:02}") == day


@given(st.decimals(0, 10**10, places=2), st.sampled_from(["{:,}", "{}", "({})", "-{:,}", "{}-", "THB {:,}"]))
def test_every_amount_reads_back(value: Decimal, form: str) -> None:
    wanted = value if form[0] in "{T" and form[-1] == "}" else -value
    assert read_amount(form.format(value), "THB") == wanted


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
ROWS = st.lists(
    st.tuples(st.dates(date(2020, 1, 1), LATEST), WORDS, WORDS, st.integers(1, 10**12), st.booleans()), max_size=12
)


@given(ROWS, st.sampled_from(",;\t"), st.booleans())
def test_whatever_a_bank_writes_in_its_texts_every_amount_is_read_once(
    rows: list[tuple[date, str, str, int, bool]], delimiter: str, bom: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["Account", "123"])
    writer.writerow(["Date", "Description", "Reference", "Deposit", "Withdrawal"])
    for day, words, reference, satang, came in rows:
        amount = f"{Decimal(satang) / 100:,.2f}"
        writer.writerow([f"{day:%d/%m/%Y}", words, reference, *((amount, "") if came else ("", amount))])
    entries = read(text.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    assert [(each.posted_on, int(each.amount * 100)) for each in entries if isinstance(each, Entry)] == [
        (day, satang if came else -satang) for day, _words, _reference, satang, came in rows
    ]
    assert len(entries) == len(rows)


@given(st.binary(max_size=300))
def test_no_file_crashes_it(noise: bytes) -> None:
    for text in (noise, THAI.encode("cp874") + noise):
        with suppress(Unreadable):
            read(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp874", "tis-620"])
def test_a_thai_statement_with_lines_around_it(encoding: str) -> None:
    text = (
        "ธนาคารตัวอย่าง\nเลขที่บัญชี,123-4-56789-0\n\n" + THAI
        + '01/10/2569,ยอดยกมา,,,,"5,000.00"\n'
        '05/10/2569,รับโอน สมชาย,X123,,"1,234.50","6,234.50"\n'
        "06/10/69,ค่าธรรมเนียม,,10.00,0.00,6224.50\n"
        ",รวม,,10.00,1234.50,\n"
        "เอกสารนี้ออกโดยระบบ\n"
    )  # fmt: skip
    first, second = read(text, encoding)
    assert first == Entry(6, date(2026, 10, 5), None, "THB", Decimal("1234.50"), "รับโอน สมชาย", "X123")
    assert isinstance(second, Entry)
    assert second.amount == -10


def test_one_signed_column_and_a_currency_column() -> None:
    text = "Value Date\tPosted\tDetails\tAmount (THB)\tCcy\n05 Oct 2026\t6 Oct 2026\ta\t-5.00\tTHB\n\t6 Oct 2026\tb\t7\tusd\n"
    went, came = read(text)
    assert isinstance(went, Entry)
    assert (went.amount, went.value_on, went.posted_on) == (-5, date(2026, 10, 5), date(2026, 10, 6))
    assert isinstance(came, Entry)
    assert (came.amount, came.currency, came.value_on) == (7, "USD", None)


def test_an_unsigned_amount_follows_the_side_beside_it() -> None:
    text = "Date;Narrative;Amount;Dr/Cr\n2026-10-05;a;5.00;D\n2026-10-05;b;6.00;CR\n2026-10-05;c;7.00;?\n"
    assert short(read(text)) == [("2026-10-05", "-5.00"), ("2026-10-05", "6.00"), (4, "Dr/Cr", "side")]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("31/13/2026,x,r,,5.00,", (2, "วันที่", "day")),
        ("05/10/2027,x,r,,5.00,", (2, "วันที่", "future")),
        ("05/10/2026,x,r,,5.005,", (2, "ฝาก", "places")),
        ("05/10/2026,x,r,,five,", (2, "ฝาก", "amount")),
        ("05/10/2026,x,r,,,", (2, "ฝาก", "amount")),
        ("05/10/2026,x", (2, "ฝาก", "amount")),
        (",x,r,,5.00,", (2, "วันที่", "day")),
        ("05/10/2026,x,r,1.00,5.00,", (2, "ฝาก", "both")),
        ("05/10/2026,x,y,r,,5.00,9", (2, "", "cells")),
        ('05/10/2026,"x"y,r,,5.00,', (2, "", "quotes")),
        ('05/10/2026,"x,r,,5.00,', (2, "", "quotes")),
    ],
)
def test_rows_that_cannot_be_read_name_the_row_and_the_column(row: str, fault: tuple[object, ...]) -> None:
    assert short(read(THAI + row + "\n")) == [fault]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("1.00,1.00", [("2026-10-05", "1.00")]), ("1.00,", [("2026-10-05", "1.00")]), ("1.00,0", [("2026-10-05", "1.00")]),
        ("1.00,2.00", [(2, "Deposit", "twice")]), (",2.00", [(2, "Deposit", "twice")]), ("1.00,x", [(2, "Deposit", "amount")]),
        (",", [(2, "Deposit", "amount")]),
    ],
)  # fmt: skip
def test_of_two_columns_for_one_amount_none_is_chosen(cells: str, expected: list[tuple[object, ...]]) -> None:
    assert short(read(f"Date,Description,Deposit,Deposit (USD)\n2026-10-05,x,{cells}\n")) == expected


def test_a_cell_over_two_lines_does_not_shift_the_row_numbers() -> None:
    text = 'Date,Description,Deposit\n2026-10-05,"two\nlines",5\n2026-10-06,x,bad\n'
    assert short(read(text)) == [("2026-10-05", "5"), (4, "Deposit", "amount")]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"PK\x03\x04zip", "binary"), (b"%PDF-1.7", "binary"), (b"Date,Deposit\n\0", "binary"),
     (b"Date,Deposit\n\xff\xfe\xdb\xdc", "encoding"), (b"name,price\nx,1\n", "header"), (b"", "header")],
)  # fmt: skip
def test_files_that_are_no_statement(content: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(content)
    assert caught.value.code == code


def test_rows_are_read_one_by_one() -> None:
    text = "Date,Deposit\n" + "2026-10-05,1.00\n" * 1000
    file = io.BytesIO(text.encode())
    items = read_entries(file, "utf-8", layout_of(file, "utf-8"), currency="THB", latest=LATEST)
    assert isinstance(next(items), Entry)
    items.close()  # type: ignore[attr-defined]
    assert not file.closed


def test_a_head_without_end_is_none_and_takes_no_time() -> None:
    """Brackets that nobody closes were looked for from each of them on: one file kept the whole site busy for an hour."""
    assert role_of("amount".ljust(LONGEST_HEAD)) == Role.AMOUNT
    assert role_of("amount".ljust(LONGEST_HEAD + 1)) is None
    for bracket in "[(":
        with pytest.raises(Unreadable, match="header"):
            read((bracket * 130_000 + "\n") * 10)
