"""pdf: a Thai receipt of one page, shaped and with all its parts, against ReportLab setting the same words unshaped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from bench import world
from bench.measure import Outcome, Skipped, in_turn, rows, timed

JOBS = 3
MOST_MIB = 150
REPEATS = 20


def run() -> Outcome:
    from billing.documents.fonts import thai, thai_or_none

    if thai_or_none() is None:
        raise Skipped("there is no Thai font here")
    number = rows(4_700)  # a hundred pages
    words = words_of_one_page()
    found = in_turn(lambda: _cpu(lambda: document(JOBS)), lambda: _cpu(lambda: plain(words, thai().regular.path)))
    small, large = world.child("pdf", str(max(1, number // 5))), world.child("pdf", str(number))
    times = large["cpu_seconds"] / small["cpu_seconds"]
    return Outcome(
        name="pdf",
        ratio=found.ratio(lambda ours, limit: ours / limit),
        goal=10.0,
        higher_is_better=False,
        limit="ReportLab's canvas with the same words and lines in the same font, unshaped, without QR code",
        figures={
            "rows": number,
            "pages": large["pages"],
            "cpu_ms": [round(each * 1000, 2) for each in found.ours],
            "plain_ms": [round(each * 1000, 2) for each in found.limit],
            "long_seconds": large["seconds"],
            "long_peak_mib": large["peak_mib"],
            "fifth_seconds": small["seconds"],
            "time_ratio": round(times, 2),
        },
        also=large["peak_mib"] < MOST_MIB and times <= 7,
    )


def _cpu(work: Callable[[], Any]) -> float:
    work()
    began = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - began) / REPEATS


def paper(jobs: int) -> Any:
    """A receipt as finance would read it; its lines are made as they are asked for."""
    from billing.documents.paper import Line, Paper, Row, Seller, State, Tax

    def lines() -> Iterator[Line]:
        for number in range(jobs):
            hours = Decimal(number % 977) / 16
            yield Line(str(200_000 + number), f"acct{number % 60}", hours, Decimal(0), hours * 2, Decimal(number % 89))

    rate = Decimal("1.000000")
    names = ("คอร์-ชั่วโมง", "GPU-ชั่วโมง", "GB-ชั่วโมงของหน่วยความจำ")
    return Paper(
        number="RC2027-000001", buyer="alice", issued_on=date(2026, 11, 20), start=date(2026, 10, 1),
        seller=Seller("ศูนย์คอมพิวเตอร์ มหาวิทยาลัย", "999 ถนนพุทธมณฑลสาย 4 จังหวัดนครปฐม 73170", "0994000158378",
                      "hpc@example.ac.th"),
        end=date(2026, 10, 31), tier="มหาวิทยาลัย", reasons=("กฎที่ 10: บัญชี physics",), price_at="ณ เวลาที่ออกใบแจ้งค่าบริการ",
        rates_as_of=datetime(2026, 11, 20, tzinfo=UTC), currency="THB", rounding=Decimal("0.01"),
        rows=tuple(Row(name, Decimal("12.5000"), rate, Decimal("12.50")) for name in names),
        subtotal=Decimal("37.51"), total=Decimal("40.14"), tax=Tax("VAT", Decimal(7), False, Decimal("2.63")),
        state=State("pending"), note="โปรดชำระภายใน 30 วัน", adjusts=None, digest="a" * 64,
        verify_url=f"https://billing.example.ac.th/verify/?number=RC2027-000001&hash={'a' * 64}",
        verify_page="https://billing.example.ac.th/verify/", changed_at=datetime(2026, 11, 20, tzinfo=UTC), jobs=jobs,
        lines=lines,
    )  # fmt: skip


def document(jobs: int) -> bytes:
    """Ours, from the values to the bytes."""
    from django.utils import translation

    from billing.documents.receipt_pdf import render
    from billing.documents.receipts import typefaces

    with translation.override("th"):
        regular, bold = typefaces("th")
        return render(paper(jobs), regular=regular, bold=bold)


def words_of_one_page() -> list[tuple[float, float, str, float]]:
    """What our page says and where, noted while it is drawn: the other side sets exactly that."""
    from billing.documents.sheet import Sheets

    noted: list[tuple[float, float, str, float]] = []
    text = Sheets.text

    def noting(self: Sheets, x: float, y: float, words: str, size: float, **how: Any) -> float:
        noted.append((x, y, words, size))
        return text(self, x, y, words, size, **how)

    Sheets.text = noting  # type: ignore[method-assign]
    try:
        content = document(JOBS)
    finally:
        Sheets.text = text  # type: ignore[method-assign]
    assert content.count(b"/MediaBox") == 1, "more than one page"
    return noted


def plain(words: list[tuple[float, float, str, float]], font: Any) -> bytes:
    """The limit: the same words and as many lines by ReportLab alone; no QR code, which takes longer than all else."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    if "Plain" not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont("Plain", str(font), shapable=False))
    buffer = BytesIO()
    canvas = Canvas(buffer, invariant=1, pageCompression=1)
    for x, y, text, size in words:
        canvas.setFont("Plain", size)
        canvas.drawString(x, y, text)
        canvas.line(x, y - 3, x + 80, y - 3)
    canvas.save()
    return buffer.getvalue()


def long_document(jobs: int) -> dict[str, Any]:
    """In a process of its own: seconds and pages of a document with that many jobs."""
    made: list[bytes] = []
    began = time.process_time()
    seconds = timed(lambda: made.append(document(jobs)))
    cpu = time.process_time() - began
    pages = made[0].count(b"/MediaBox")
    return {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "pages": pages}
