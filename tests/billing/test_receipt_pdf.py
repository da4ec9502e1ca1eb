"""A receipt on paper says what the receipt says, in both languages, and the same each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone, translation

from billing.documents import fonts
from billing.documents.paper import Line
from billing.documents.receipt_pdf import render
from billing.documents.receipts import receipt_pdf, typefaces
from billing.models import Receipt
from billing.selectors.documents.paper import paper_of
from billing.services.receipts import create_receipts, mark_paid, void_receipt
from core.context import Actor
from tests.factories import NOON, account_tier, make_job, make_jobs

ROOT = Path(__file__).resolve().parents[2]
ACTOR = Actor("alice")
HEAVY = "ที่นี่ หนี้ แจ้ง ปั๊ม น้ำ ผู้ ฝั่ง เพื่อน ญาติ ฐาน"

needs_thai = pytest.mark.skipif(
    not any(fonts._files([folder]) for folder in ("/usr/share/fonts", "/usr/local/share/fonts")),
    reason="no Thai font here (Debian: apt install fonts-thai-tlwg)",
)
both = pytest.mark.parametrize("language", ["en", pytest.param("th", marks=needs_thai)])


def pages(content: bytes) -> list[str]:
    """The text of each page as a reader of the file gets it: composed, without spaces."""
    import pypdf

    found = []
    for page in pypdf.PdfReader(BytesIO(content)).pages:
        text = unicodedata.normalize("NFC", page.extract_text())
        found.append(re.sub(r"\s", "", text))
    return found


def squeezed(words: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFC", words))


@pytest.fixture
def seller(settings: Any) -> Any:
    settings.ORG_NAME = "ศูนย์คอมพิวเตอร์ Mahidol"
    settings.ORG_ADDRESS = f"999 ถนนพุทธมณฑลสาย 4 {HEAVY} 73170"
    settings.ORG_TAX_ID, settings.ORG_EMAIL = "0994000158378", "hpc@example.ac.th"
    return settings


def make_receipt(note: str = "", **job: Any) -> Receipt:
    account_tier("physics", "mu")
    make_job(job_id=501, cpus=4, gpus=1, mem_mib=8192, elapsed_seconds=5400, **job)
    make_job(job_id=502, cpus=3, elapsed_seconds=1001, **job)
    days = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
    (receipt,) = create_receipts(actor=ACTOR, username="alice", note=note, **days)
    return Receipt.objects.get(pk=receipt.pk)


def test_english_says_everything(alice: Any, seller: Any) -> None:
    seller.BILLING_TAX_ENABLED = True
    receipt = make_receipt(note="PO 4711")
    text = "".join(pages(receipt_pdf(receipt=receipt, language="en")))
    issued = timezone.localdate(timezone=timezone.get_default_timezone())
    for words in (
        receipt.document_number, "TO PAY", "alice", "1 Oct 2026 – 31 Oct 2026", "University", "rule 10: account physics",
        f"{issued.day} {issued:%b %Y}", "0994000158378", "hpc@example.ac.th", "when the receipt is created", "PO 4711",
        "Core-hours", "× 1.00", "Subtotal", "VAT 7.00 %", f"THB {receipt.total:,.2f}", receipt.digest[:32], receipt.digest[32:],
        "http://testserver/verify/", "Page 1 of 1", "Jobs on this receipt", "501", "502", "physics", "baht",
    ):  # fmt: skip
        assert squeezed(words) in text, words


@needs_thai
def test_thai_says_everything_in_thai(alice: Any, seller: Any) -> None:
    seller.BILLING_TAX_ENABLED, seller.BILLING_TAX_LABEL = True, "ภาษีมูลค่าเพิ่ม"
    receipt = make_receipt(note=HEAVY)
    text = "".join(pages(receipt_pdf(receipt=receipt, language="th")))
    for words in (
        "ใบแจ้งค่าบริการ", receipt.document_number, "รอชำระ", "ศูนย์คอมพิวเตอร์", "1 ต.ค. 2569 – 31 ต.ค. 2569", HEAVY, "มหาวิทยาลัย",
        "กฎที่ 10: บัญชี physics", "ภาษีมูลค่าเพิ่ม 7.00 %", f"฿ {receipt.total:,.2f}", "บาท", "สตางค์", "หน้า 1 จาก 1", "งานในใบแจ้งค่าบริการนี้",
        "ค่าแฮชของเนื้อหา", receipt.digest[:32],
    ):  # fmt: skip
        assert squeezed(words) in text, words
    assert str(receipt.issued_on.year + 543) in text
    assert str(receipt.issued_on.year) not in text.replace(str(receipt.document_number), "")


@both
def test_the_sums_on_paper_add_up(alice: Any, language: str) -> None:
    paper = paper_of(make_receipt())
    assert sum(row.cost for row in paper.rows) + paper.rounding == paper.lines_total == paper.total
    text = "".join(pages(receipt_pdf(receipt=Receipt.objects.get(), language=language)))
    for row in paper.rows:
        assert f"{row.hours:.4f}×{row.rate:.2f}={row.cost:,.2f}" in text


@both
def test_tax_inside_the_prices_is_named_and_the_lines_still_make_the_total(
    alice: Any, settings: Any, language: str
) -> None:
    settings.BILLING_TAX_ENABLED = settings.BILLING_TAX_INCLUSIVE = True
    receipt = make_receipt()
    paper = paper_of(receipt)
    assert paper.lines_total == receipt.total == receipt.subtotal + receipt.tax_amount
    assert sum(row.cost for row in paper.rows) + paper.rounding == receipt.total
    text = "".join(pages(receipt_pdf(receipt=receipt, language=language)))
    words = {"en": "of this VAT 7.00 %, inside the prices", "th": "ในจำนวนนี้เป็น VAT 7.00 %"}[language]
    assert squeezed(words) in text
    assert f"{receipt.tax_amount:.2f}" in text


@both
def test_paid_says_when_and_by_which_reference(alice: Any, language: str) -> None:
    receipt = make_receipt()
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="SLIP-77", paid_at=NOON)
    text = "".join(pages(receipt_pdf(receipt=Receipt.objects.get(), language=language)))
    day = {"en": "15 Oct 2026, 12:00", "th": "15 ต.ค. 2569 12:00"}[language]
    assert squeezed(day) in text
    assert "SLIP-77" in text
    assert {"en": "PAID", "th": "ชำระแล้ว"}[language] in text


@both
def test_void_stands_across_every_page_with_its_reason(alice: Any, language: str) -> None:
    account_tier("physics", "mu")
    make_jobs(60)
    (receipt,) = create_receipts(actor=ACTOR, username="alice")
    void_receipt(actor=Actor("fin"), receipt=receipt, reason="wrong period")
    found = pages(receipt_pdf(receipt=Receipt.objects.get(), language=language))
    assert len(found) > 1
    assert all({"en": "VOID", "th": "ยกเลิก"}[language] in text for text in found)
    assert "wrongperiod" in found[0]


# --- the file -------------------------------------------------------------------
@needs_thai
def test_thai_faces_are_embedded_as_subsets(alice: Any) -> None:
    import pypdf

    content = receipt_pdf(receipt=make_receipt(), language="th")
    reader = pypdf.PdfReader(BytesIO(content))
    found = [font.get_object() for font in reader.pages[0]["/Resources"]["/Font"].values()]
    composite = [font for font in found if font["/Subtype"] == "/Type0"]
    assert len(composite) == 2, "regular and bold"
    for font in composite:
        assert re.fullmatch(r"/[A-Z]{6}\+.+", font["/BaseFont"])
        file = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()["/FontFile2"].get_object()
        assert file.get_data()[:4] == b"\0\1\0\0"
        assert 1000 < len(file.get_data()) < fonts.thai().regular.path.stat().st_size
    assert len(content) < 60_000


def test_without_a_font_english_embeds_nothing_and_needs_nothing(alice: Any, settings: Any, tmp_path: Path) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    content = receipt_pdf(receipt=make_receipt(), language="en")
    assert b"/FontFile" not in content
    assert "Receipt" in "".join(pages(content))


@both
def test_the_language_title_and_dates_of_the_file_are_the_receipts(alice: Any, language: str) -> None:
    import pypdf

    receipt = make_receipt()
    reader = pypdf.PdfReader(BytesIO(receipt_pdf(receipt=receipt, language=language)))
    assert reader.trailer["/Root"]["/Lang"] == language
    assert reader.metadata
    assert str(receipt.document_number) in str(reader.metadata.title)
    assert reader.metadata.creation_date == receipt.created_at.replace(microsecond=0)


@both
def test_the_same_receipt_gives_the_same_bytes_until_its_state_changes(alice: Any, language: str) -> None:
    receipt = make_receipt()
    first = receipt_pdf(receipt=receipt, language=language)
    assert receipt_pdf(receipt=Receipt.objects.get(), language=language) == first
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="A")
    assert receipt_pdf(receipt=Receipt.objects.get(), language=language) != first


def test_a_refunded_receipt_asks_for_no_money(alice: Any) -> None:
    receipt = make_receipt()
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="A-77")
    Receipt.objects.update(status="refunded")
    words = "".join(pages(receipt_pdf(receipt=Receipt.objects.get(), language="en")))
    assert "REFUNDED" in words
    assert "A-77" in words
    assert "TOPAY" not in squeezed(words)


@needs_thai
def test_two_processes_give_the_same_bytes_whatever_they_made_before() -> None:
    script = (
        "import sys, hashlib, django; django.setup(); from bench import pdf\n"
        "for jobs in map(int, sys.argv[1:]): content = pdf.document(jobs)\n"
        "print(hashlib.sha256(content).hexdigest())"
    )
    found = set()
    for seed, jobs in (("1", ["60"]), ("2", ["3", "5", "60"])):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "DJANGO_SETTINGS_MODULE": "hpcbilling.settings"}
        done = subprocess.run(
            [sys.executable, "-c", script, *jobs], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert re.fullmatch(r"[0-9a-f]{64}\n", found.pop())


# --- sizes and odd input ---------------------------------------------------------
@both
def test_four_thousand_lines_are_all_there_on_numbered_pages(alice: Any, language: str) -> None:
    def lines() -> Iterator[Line]:
        for number in range(4000):
            yield Line(f"job{number:05d}", "physics", Decimal("4.0000"), Decimal(0), Decimal(8), Decimal("8.00"))

    receipt = make_receipt()
    regular, bold = typefaces(language)
    with translation.override(language):
        found = pages(render(replace(paper_of(receipt), jobs=4000, lines=lines), regular=regular, bold=bold))
    assert 80 < len(found) < 110
    text = "".join(found[1:])
    assert all(f"job{number:05d}physics4.0000" in text for number in range(4000))
    for number, page in enumerate(found, 1):
        words = {"en": f"Page {number} of {len(found)}", "th": f"หน้า {number} จาก {len(found)}"}[language]
        assert squeezed(words) in page
    assert f"{receipt.total:,.2f}" in found[-1]


@pytest.mark.parametrize("jobs", [*range(1, 16), 46, 47, 48, 93, 94, 95])
def test_no_line_is_lost_where_a_page_ends(alice: Any, jobs: int) -> None:
    account_tier("physics", "mu")
    made = make_jobs(jobs)
    (receipt,) = create_receipts(actor=ACTOR, username="alice")
    found = pages(receipt_pdf(receipt=receipt, language="en"))
    text = "".join(found)
    assert all(f"{job.job_id_display}physics4.0000" in text for job in made)
    assert f"Page{len(found)}of{len(found)}" in found[-1]
    assert not any(f"Page{len(found) + 1}of" in page for page in found)


@both
@pytest.mark.parametrize("name", ["ปั๊มน้ำ", "漢字☃", "naïve", "a\tb\x7f", "\u202eevil", "x" * 120])
def test_odd_names_never_break_a_document(alice: Any, language: str, name: str) -> None:
    receipt = make_receipt()
    regular, bold = typefaces(language)
    with translation.override(language):
        paper = replace(paper_of(receipt), buyer=name, note=name)
        assert len(pages(render(paper, regular=regular, bold=bold))) == 1


@needs_thai
def test_a_thai_name_in_an_english_document_is_set_in_the_thai_face(alice: Any, seller: Any) -> None:
    text = "".join(pages(receipt_pdf(receipt=make_receipt(), language="en")))
    assert squeezed(HEAVY) in text


def test_without_a_font_what_latin_cannot_show_is_a_visible_question_mark(
    alice: Any, settings: Any, tmp_path: Path
) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    settings.ORG_NAME = "Centre ญ"
    assert "Centre?" in "".join(pages(receipt_pdf(receipt=make_receipt(), language="en")))


@both
def test_an_address_of_any_length_flows_over_pages_without_a_word_lost(
    alice: Any, settings: Any, language: str
) -> None:
    settings.ORG_ADDRESS = " ".join(f"street{number:04d}" for number in range(900))
    found = pages(receipt_pdf(receipt=make_receipt(), language=language))
    assert len(found) > 2
    assert all(f"street{number:04d}" in "".join(found) for number in range(900))


def test_a_receipt_from_before_sellers_were_kept_shows_who_runs_the_site(alice: Any, settings: Any) -> None:
    make_receipt()
    Receipt.objects.update(seller={})
    settings.ORG_NAME = "Computing Centre"
    assert "ComputingCentre" in "".join(pages(receipt_pdf(receipt=Receipt.objects.get(), language="en")))


def test_a_receipt_keeps_the_seller_of_its_day(alice: Any, settings: Any) -> None:
    settings.ORG_NAME = "Old Name"
    receipt = make_receipt()
    settings.ORG_NAME = "New Name"
    text = "".join(pages(receipt_pdf(receipt=receipt, language="en")))
    assert "OldName" in text
    assert "NewName" not in text


def test_reading_lines_takes_a_few_statements_whatever_their_number(
    alice: Any, django_assert_max_num_queries: Any
) -> None:
    account_tier("physics", "mu")
    jobs = make_jobs(1100)
    (receipt,) = create_receipts(actor=ACTOR, username="alice")
    with django_assert_max_num_queries(12):
        text = "".join(pages(receipt_pdf(receipt=receipt, language="en")))
    assert all(f"{job.job_id_display}physics4.0000" in text for job in jobs)


# --- typefaces -------------------------------------------------------------------
def test_thai_without_a_font_is_refused_and_says_what_to_install(alice: Any, settings: Any, tmp_path: Path) -> None:
    settings.PDF_FONT_FOLDERS = [str(tmp_path)]
    with pytest.raises(fonts.NoThaiFont, match="fonts-thai-tlwg") as error:
        receipt_pdf(receipt=make_receipt(), language="th")
    assert (error.value.code, error.value.http_status) == ("no_thai_font", 503)


def test_a_named_font_that_cannot_be_used_is_refused_by_name(settings: Any, tmp_path: Path) -> None:
    wrong = tmp_path / "font.ttf"
    for content, why in ((None, "No such file"), (b"hello", "no font"), (b"OTTO" + b"\0" * 200, "no font")):
        if content is not None:
            wrong.write_bytes(content)
        settings.PDF_FONT = str(wrong)
        with pytest.raises(fonts.NoThaiFont, match="PDF_FONT") as error:
            fonts.thai()
        assert why in str(error.value.details["reason"])


def test_a_font_without_thai_letters_is_refused(settings: Any) -> None:
    import reportlab

    settings.PDF_FONT = str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")
    with pytest.raises(fonts.NoThaiFont) as error:
        fonts.thai()
    assert "no Thai letters" in str(error.value.details["reason"])


@needs_thai
def test_a_named_font_is_used_with_its_bold(settings: Any) -> None:
    found = fonts.thai()
    settings.PDF_FONT, settings.PDF_FONT_BOLD = str(found.regular.path), ""
    assert fonts.thai().bold.path == found.regular.path
    settings.PDF_FONT_BOLD = str(found.bold.path)
    assert fonts.thai().bold.path == found.bold.path


@needs_thai
@pytest.mark.parametrize("word", ["ปั๊ม", "น้ำ", "ที่นี่", "หนี้", "ฟ้า", "ป้า", "กตัญญู"])
def test_marks_are_placed_by_the_font_and_keep_their_text(word: str) -> None:
    glyphs = fonts.thai().regular.shape(word)
    assert "".join(glyph.text for glyph in glyphs) == word
    marks = [glyph for glyph in glyphs if glyph.text and unicodedata.category(glyph.text[0]) == "Mn"]
    assert all(glyph.advance == 0 for glyph in marks), "a mark takes no room of its own"
    assert all(glyph.gid for glyph in glyphs)


@needs_thai
def test_a_stacked_tone_mark_takes_another_place_than_one_that_stands_alone() -> None:
    """Over a tall letter or a vowel the font moves the mark or takes another form of it."""
    face = fonts.thai().regular

    def tone(word: str) -> tuple[int, int, int]:
        (glyph,) = [each for each in face.shape(word) if each.text == "้"]
        return glyph.gid, glyph.dx, glyph.dy

    assert tone("ก้") != tone("กี้")
    assert tone("ก้") != tone("ป้")
