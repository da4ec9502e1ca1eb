"""An invoice and a credit note that never were: what templates are tried on. The same words each time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.documents.invoice_paper import Bill, BillLine, BillTax
from billing.documents.note_paper import NoteLine, NotePaper
from billing.documents.paper import Seller, State
from core.words.wording import is_thai

MADE = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
DIGEST = "5a3c9e0d7f1b24686e1d0c9b8a7f5e4d3c2b1a09f8e7d6c5b4a392817f6e5d4c"


def sample_bill() -> Bill:
    """In the language that is active."""
    page = settings.SITE_BASE_URL + reverse("billing:verify")
    thai = is_thai()
    number = "INV2027-000123"
    return Bill(
        number=number,
        seller=_seller(), buyer=_buyer(), month=date(2026, 10, 1),
        issued_on=date(2026, 11, 2), due_on=date(2026, 12, 2), currency="THB",
        lines=(
            BillLine(1, "งานของ Slurm ระดับ มหาวิทยาลัย" if thai else "Slurm jobs, tier University", "imaging",
                     Decimal(128), "jobs", None, "THB", Decimal("1834.50")),
            BillLine(2, "โทเคนของโมเดล typhoon" if thai else "Tokens of the model typhoon", "imaging",
                     Decimal("1250000"), "token", Decimal("0.00015"), "THB", Decimal("187.50")),
            BillLine(3, "แผนบริการ โปร" if thai else "Plan Pro", "", Decimal(1), "", Decimal("1000"), "THB",
                     Decimal("1000.00")),
        ),
        taxes=(BillTax("VAT", Decimal("7.00"), Decimal("2719.80"), Decimal("190.39")),), inclusive=False,
        subtotal=Decimal("3022.00"), discount=Decimal("302.20"), total=Decimal("2910.19"), paid=Decimal(0),
        credited=Decimal(0), due=Decimal("2910.19"), conversion="", state=State("pending"),
        note=_("A note of finance stands here."), digest=DIGEST, verify_url=f"{page}?number={number}&hash={DIGEST}",
        verify_page=page, changed_at=MADE,
    )  # fmt: skip


def sample_note() -> NotePaper:
    """Gives back a part of that invoice, in the language that is active."""
    bill = sample_bill()
    number = "CN2027-000007"
    jobs, tokens = bill.lines[:2]
    return NotePaper(
        number=number, invoice_number=bill.number, invoice_issued_on=bill.issued_on, month=bill.month,
        issued_on=date(2026, 11, 20), reason=_("The nodes were down for a day."), seller=bill.seller, buyer=bill.buyer,
        currency=bill.currency,
        lines=(
            NoteLine(1, jobs.words, jobs.project, Decimal(32), jobs.unit, None, "THB", Decimal("1651.05"),
                     Decimal("412.76"), Decimal("7.00"), Decimal("28.89")),
            NoteLine(2, tokens.words, tokens.project, tokens.quantity, tokens.unit, tokens.unit_price, "THB",
                     Decimal("168.75"), Decimal("168.75"), Decimal("7.00"), Decimal("11.82")),
        ),
        taxes=(BillTax("VAT", Decimal("7.00"), Decimal("581.51"), Decimal("40.71")),), inclusive=False, discounted=True,
        whole=False, invoice_value=Decimal("2719.80"), corrected_value=Decimal("2138.29"), subtotal=Decimal("581.51"),
        tax=Decimal("40.71"), total=Decimal("622.22"), conversion="", digest=DIGEST,
        verify_url=f"{bill.verify_page}?number={number}&hash={DIGEST}", verify_page=bill.verify_page, changed_at=MADE,
    )  # fmt: skip


def _seller() -> Seller:
    return Seller(
        name=settings.ORG_NAME, address=settings.ORG_ADDRESS or _("999 Example Road, Bangkok 10110"),
        tax_id=settings.ORG_TAX_ID or "0994000158378", email=settings.ORG_EMAIL or "billing@example.ac.th",
    )  # fmt: skip


def _buyer() -> str:
    return _("Institute of Imaging") + "\nbills@example.ac.th"
