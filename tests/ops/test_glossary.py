"""One word for one thing: the glossary says what the pages say."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]


def glossary() -> dict[str, str]:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines if line.startswith("| ")]
    return {row[0]: row[1] for row in rows[1:] if not row[0].startswith("-")}


def catalogue(*, every_context: bool = False) -> dict[str, str]:
    with (ROOT / "locale" / "th" / "LC_MESSAGES" / "django.po").open("rb") as handle:
        texts = read_po(handle)
    return {
        text.id if isinstance(text.id, str) else text.id[0]: text.string
        if isinstance(text.string, str)
        else text.string[0]
        for text in texts
        if every_context or not text.context
    }


def test_a_term_is_translated_as_the_glossary_says() -> None:
    known, checked = catalogue(), []
    for term, thai in glossary().items():
        for said in (term, f"{term}s"):
            if said in known:
                assert known[said] == thai, f"{said}: the pages say {known[said]}, the glossary {thai}"
                checked.append(term)
    assert len(set(checked)) >= 15, "most terms are said on a page by themselves"


def test_no_page_calls_a_receipt_or_an_invoice_anything_else() -> None:
    for english, thai in catalogue().items():
        if re.search(r"\breceipts?\b", english, re.I) and "receipt number)" not in english:
            assert "ใบเสร็จ" not in thai, english


# Bold words of the guides that are no words of a page: roles of this product's documents, and acts of a sentence.
SENTENCES = {
    "Look",
    "Receipts → Create receipts",
    "credit note",
    "adjustment",
    "voided",
    "PDF",
    "CSV",
    "XLSX",
    "ตรวจดู",
    "ยกเลิก",
}


def test_the_guides_call_menus_and_buttons_what_the_pages_call_them() -> None:
    known = catalogue(every_context=True)
    words = {re.sub(r"[ …]+$", "", each).lower() for pair in known.items() for each in pair}
    missing = {}
    for page in sorted((ROOT / "docs" / "guide").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        said = {re.sub(r"[ …]+$", "", each) for each in re.findall(r"(?<!\*)\*{1,2}([^*\n]+)\*", text)}
        titles = set(re.findall(r"^## (.+)$", text, re.MULTILINE))
        named = said - SENTENCES - titles
        found = {each for name in named for each in re.split(r" → ", name) if each.lower() not in words}
        if found:
            missing[page.name] = found
    assert missing == {}
