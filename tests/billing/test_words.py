"""Amounts in words, against numerals worked out another way, and the ends of lines."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents import thai
from billing.documents.words import in_words

DIGITS = ["ศูนย์", "หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า"]
SCALES = [(100_000, "แสน"), (10_000, "หมื่น"), (1000, "พัน"), (100, "ร้อย")]


def spoken(number: int) -> str:
    """A Thai numeral by successive division, as it is learnt at school."""
    if number == 0:
        return DIGITS[0]
    text = ""
    if number >= 1_000_000:
        text = spoken(number // 1_000_000) + "ล้าน"
        number %= 1_000_000
    for value, name in SCALES:
        if number >= value:
            text += DIGITS[number // value] + name
            number %= value
    tens, ones = divmod(number, 10)
    text += "" if not tens else "สิบ" if tens == 1 else "ยี่สิบ" if tens == 2 else DIGITS[tens] + "สิบ"
    if ones:
        text += "เอ็ด" if ones == 1 and text else DIGITS[ones]
    return text


def baht(amount: Decimal) -> str:
    whole, satang = divmod(int(amount * 100), 100)
    if not satang:
        return spoken(whole) + "บาทถ้วน"
    return (spoken(whole) + "บาท" if whole else "") + spoken(satang) + "สตางค์"


@pytest.mark.parametrize(
    ("amount", "words", "english"),
    [
        ("0.00", "ศูนย์บาทถ้วน", "Zero baht"),
        ("0.25", "ยี่สิบห้าสตางค์", "Twenty-five satang"),
        ("0.01", "หนึ่งสตางค์", "One satang"),
        ("1.00", "หนึ่งบาทถ้วน", "One baht"),
        ("11.00", "สิบเอ็ดบาทถ้วน", "Eleven baht"),
        ("21.10", "ยี่สิบเอ็ดบาทสิบสตางค์", "Twenty-one baht and ten satang"),
        ("101.00", "หนึ่งร้อยเอ็ดบาทถ้วน", "One hundred and one baht"),
        ("1000001.01", "หนึ่งล้านเอ็ดบาทหนึ่งสตางค์", "One million and one baht and one satang"),
        ("12000000.00", "สิบสองล้านบาทถ้วน", "Twelve million baht"),
    ],
)
def test_baht_in_words(amount: str, words: str, english: str) -> None:
    assert in_words(Decimal(amount), "THB", "th") == words == baht(Decimal(amount))
    assert in_words(Decimal(amount), "THB", "en") == english


@given(st.decimals(min_value=0, max_value=Decimal("999999999999.99"), places=2))
def test_any_amount_of_baht_reads_as_it_is_spoken(amount: Decimal) -> None:
    assert in_words(amount, "THB", "th") == baht(amount)


@pytest.mark.parametrize(
    ("amount", "currency", "english", "words"),
    [
        ("1234.50", "EUR", "One thousand, two hundred and thirty-four and 50/100 euros",
         "หนึ่งพันสองร้อยสามสิบสี่ และ 50/100 ยูโร"),
        ("1.00", "USD", "One US dollar", "หนึ่ง ดอลลาร์สหรัฐ"),
        ("300.00", "JPY", "Three hundred Japanese yen", "สามร้อย เยนญี่ปุ่น"),
        ("2.05", "KWD", "Two and 050/1000 Kuwaiti dinars", "สอง และ 050/1000 ดีนาร์คูเวต"),
    ],
)  # fmt: skip
def test_other_currencies_have_their_fraction_in_figures(amount: str, currency: str, english: str, words: str) -> None:
    assert in_words(Decimal(amount), currency, "en") == english
    assert in_words(Decimal(amount), currency, "th") == words


@pytest.mark.parametrize(("amount", "currency"), [("-1.00", "THB"), ("1.001", "THB"), ("1.50", "JPY")])
def test_an_amount_that_is_none_has_no_words(amount: str, currency: str) -> None:
    with pytest.raises(ValueError):
        in_words(Decimal(amount), currency, "en")


# --- where lines end -------------------------------------------------------------
MARKS = set("ัิีึืฺุู็่้๊๋์ํ๎ะาำๅๆฯ")


@given(st.text(alphabet=[*map(chr, range(0x0E01, 0x0E3B)), *map(chr, range(0x0E3F, 0x0E4F)), *" abc(1)-"], max_size=60))
def test_parts_join_to_the_text_and_no_line_begins_with_a_mark(text: str) -> None:
    for parts in (thai.pieces(text), thai.clusters(text)):
        assert "".join(parts) == text
        assert all(part[0] not in MARKS for part in parts[1:])
        assert all(part[-1] not in "เแโใไ" for part in parts[:-1])


def test_thai_breaks_at_spaces_before_leading_vowels_and_beside_other_scripts() -> None:
    assert thai.pieces("ถนนพุทธมณฑลสาย 4 แขวงเมือง") == ["ถนนพุทธมณฑลสาย ", "4 ", "แขวง", "เมือง"]
    assert thai.pieces("งานGPU") == ["งาน", "GPU"]
    assert thai.pieces("ที่นี่ (ปั๊ม)") == ["ที่นี่ ", "(ปั๊ม)"]
    assert thai.clusters("ปั๊มน้ำ") == ["ปั๊", "ม", "น้ำ"]
