"""Cells of bank statements: what columns are called, and how banks write days and amounts. Pure."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from enum import StrEnum

from core.numerals import THAI_DIGITS

BUDDHIST_ERA = 543
_COMMON, _BUDDHIST = range(2000, 2100), range(2543, 2643)
_LAST_SHORT = 42
MOST_DIGITS = 11  # before the decimal point: more is no amount of money, and no database column holds it


class Role(StrEnum):
    """What a column tells."""

    POSTED = "date"
    VALUE = "value date"
    DESCRIPTION = "description"
    REFERENCE = "reference"
    IN = "deposit"
    OUT = "withdrawal"
    AMOUNT = "amount"
    SIDE = "debit or credit"
    CURRENCY = "currency"


_NAMES = {
    Role.POSTED: (
        "date", "posting date", "posted", "posted on", "posted date", "post date", "transaction date", "trans date",
        "tran date", "txn date", "booking date", "book date", "entry date", "date time",
        "วันที่", "วันที่ เวลา", "วันที่ทำรายการ", "วันที่รายการ",
        "วันที่ทํารายการ", "วัน เดือน ปี", "วันที่บันทึก", "วันที่ลงรายการ",
    ),
    Role.VALUE: ("value date", "value on", "value", "effective date", "eff date", "วันที่มีผล", "วันที่มีผลบังคับ"),
    Role.DESCRIPTION: (
        "description", "descriptions", "detail", "details", "transaction details", "transaction description",
        "narrative", "narration", "particulars", "remark", "remarks", "memo", "note", "รายการ", "รายละเอียด",
        "คำอธิบาย", "คําอธิบาย", "หมายเหตุ", "บันทึกช่วยจำ", "บันทึกช่วยจํา",
    ),
    Role.REFERENCE: (
        "reference", "references", "reference no", "reference number", "ref", "ref no", "ref number", "ref 1", "ref1",
        "ref 2", "ref2", "bank reference", "bank ref", "customer reference", "transaction id", "transaction reference",
        "transaction ref", "อ้างอิง", "เลขที่อ้างอิง", "หมายเลขอ้างอิง", "รหัสอ้างอิง", "เลขอ้างอิง", "อ้างอิง 1", "อ้างอิง 2",
    ),
    Role.IN: (
        "deposit", "deposits", "deposit amount", "credit", "credits", "credit amount", "paid in", "money in", "cr",
        "เงินฝาก", "ฝาก", "ฝากเงิน", "ยอดฝาก", "จำนวนเงินฝาก", "จํานวนเงินฝาก", "เงินเข้า", "เครดิต", "รายการฝาก",
    ),
    Role.OUT: (
        "withdrawal", "withdrawals", "withdrawal amount", "withdraw", "debit", "debits", "debit amount", "paid out",
        "money out", "dr", "ถอน", "ถอนเงิน", "ยอดถอน", "จำนวนเงินถอน", "จํานวนเงินถอน", "เงินถอน", "เงินออก", "เดบิต",
        "รายการถอน",
    ),
    Role.AMOUNT: ("amount", "transaction amount", "signed amount", "จำนวนเงิน", "จํานวนเงิน", "ยอดเงิน", "จำนวน", "จํานวน"),
    Role.SIDE: (
        "debit credit", "credit debit", "dr cr", "cr dr", "d c", "c d", "debit or credit", "ฝาก ถอน", "ถอน ฝาก",
        "เดบิต เครดิต",
    ),
    Role.CURRENCY: ("currency", "currency code", "ccy", "cur", "สกุลเงิน"),
}  # fmt: skip
_ROLE_OF = {name: role for role, names in _NAMES.items() for name in names}
_SIDES = {
    **dict.fromkeys(("c", "cr", "credit", "deposit", "in", "+", "ฝาก", "เงินฝาก", "เครดิต", "เข้า"), 1),
    **dict.fromkeys(("d", "dr", "debit", "withdrawal", "out", "-", "ถอน", "เงินถอน", "เดบิต", "ออก"), -1),
}
_MONTHS = (
    ("jan", "january", "ม.ค", "มค", "มกราคม"), ("feb", "february", "ก.พ", "กพ", "กุมภาพันธ์"),
    ("mar", "march", "มี.ค", "มีค", "มีนาคม"), ("apr", "april", "เม.ย", "เมย", "เมษายน"),
    ("may", "may", "พ.ค", "พค", "พฤษภาคม"), ("jun", "june", "มิ.ย", "มิย", "มิถุนายน"),
    ("jul", "july", "ก.ค", "กค", "กรกฎาคม"), ("aug", "august", "ส.ค", "สค", "สิงหาคม"),
    ("sep", "september", "sept", "ก.ย", "กย", "กันยายน"), ("oct", "october", "ต.ค", "ตค", "ตุลาคม"),
    ("nov", "november", "พ.ย", "พย", "พฤศจิกายน"), ("dec", "december", "ธ.ค", "ธค", "ธันวาคม"),
)  # fmt: skip
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_TOTALS = (
    "total", "grand total", "sum", "balance", "opening balance", "closing balance", "beginning balance",
    "ending balance", "brought forward", "carried forward", "balance brought forward", "balance carried forward",
    "b/f", "c/f", "balance b/f", "balance c/f", "รวม", "ยอดรวม", "รวมทั้งสิ้น", "ยอดยกมา", "ยอดยกไป", "ยอดคงเหลือ", "รวมเงิน",
)  # fmt: skip
LONGEST_HEAD = 200  # characters of a column's head; what is longer is none, and takes _BESIDE too long
_BESIDE = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_BREAKS = re.compile(r"[\s_./\\\-:*|]+")
_BLANKS = re.compile(r"\s+")
_THAI_DIGITS = THAI_DIGITS | str.maketrans("\u2212", "-")
_CLOCK = r"(?:[ t]+\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:\.\d+)?)?"
_ISO = re.compile(rf"(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){_CLOCK}", re.ASCII)
_NUMERIC = re.compile(rf"(\d{{1,2}})[/.\-](\d{{1,2}})[/.\-](\d{{4}}|\d{{2}}){_CLOCK}", re.ASCII)
_WORDED = re.compile(rf"(\d{{1,2}})[ \-/]*([^\d\s\-/]+?)\.?[ \-/]*(\d{{4}}|\d{{2}}){_CLOCK}", re.ASCII)
_GONE = "\0"  # where a currency stood; no tidy text has it
_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?!\d)", re.ASCII)  # 1 234 567
_PARTED = re.compile(rf"[\d.,][ {_GONE}]+[\d.,]", re.ASCII)  # two numbers: 5 baht 50
_AMOUNT = re.compile(r"(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})(?:\.\d+)?|\.\d+", re.ASCII)


def role_of(name: str) -> Role | None:
    """What a column with this head tells; None for columns that say nothing about money that came."""
    if len(name) > LONGEST_HEAD:
        return None
    plain = _BREAKS.sub(" ", _BESIDE.sub(" ", tidy(name).casefold())).strip()
    return _ROLE_OF.get(plain)


def tidy(cell: str) -> str:
    """Without what cannot be seen or stored, and with single blanks."""
    return _BLANKS.sub(" ", "".join(each if each.isprintable() else " " for each in cell)).strip()


def is_total(cell: str) -> bool:
    """What a row that sums others up is called."""
    return tidy(cell).casefold().rstrip(" :.*") in _TOTALS


def read_side(cell: str) -> int | None:
    """1 for money that came, -1 for money that went, None for anything else."""
    return _SIDES.get(tidy(cell).casefold().rstrip("."))


def read_day(cell: str) -> date | None:
    """A day as banks write it, day before month, in the common or the Buddhist era; None when it is none."""
    text = _BLANKS.sub(" ", tidy(cell).translate(_THAI_DIGITS).casefold().replace("พ.ศ.", " "))
    if found := _ISO.fullmatch(text):
        return _day(*found.group(1, 2, 3))
    if found := _NUMERIC.fullmatch(text):
        return _day(*found.group(3, 2, 1))
    if (found := _WORDED.fullmatch(text)) and (month := _MONTH_OF.get(found[2])):
        return _day(found[3], str(month), found[1])
    return None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(common_year(year), int(month), int(day))
    except ValueError:
        return None


def common_year(text: str) -> int:
    """Of the common era. Two figures: up to 42 they are ours (2026), above they are Buddhist (69 is 2569, 2026)."""
    year = int(text)
    if len(text) == 2:  # noqa: PLR2004 - figures
        year += 2000 if year <= _LAST_SHORT else 2500
    if year in _BUDDHIST:
        year -= BUDDHIST_ERA
    if year not in _COMMON:
        raise ValueError(text)
    return year


def read_amount(cell: str, currency: str = "", sign: str = "") -> Decimal | None:
    """``1,234.50``, ``(12.00)`` and ``12.00-`` (negative), with or without its currency; None when it is no amount."""
    text = tidy(cell).translate(_THAI_DIGITS).upper()
    for word in filter(None, (currency, sign, "฿", "บาท")):
        text = text.replace(word.upper(), _GONE)
    text = _GROUPS.sub(lambda found: found[0].replace(" ", ""), text)
    if _PARTED.search(text):
        return None
    text = text.replace(_GONE, "").replace(" ", "")
    if text.startswith(("+-", "+(")):  # two signs: whoever wrote that meant neither
        return None
    text = text.removeprefix("+")
    negative = text.startswith(("(", "-")) or text.endswith("-")
    bare = text[1:-1] if text.startswith("(") and text.endswith(")") else text.removeprefix("-")
    bare = bare.removesuffix("-") if not text.startswith(("(", "-")) else bare
    if not _AMOUNT.fullmatch(bare) or len(bare.split(".")[0].replace(",", "")) > MOST_DIGITS:
        return None
    value = Decimal(bare.replace(",", ""))
    return -value if negative else value
