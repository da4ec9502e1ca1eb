"""The PDF of a receipt with many jobs, as long work: made without the browser, kept for a week."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Work
from accounts.services.work import Kind, Outcome, Place, Report, find_work, start_work
from billing.documents import fonts
from billing.documents.receipts import receipt_pdf
from billing.models import Receipt
from billing.selectors.documents.readable import openable
from core.context import Actor
from core.errors import BadInput

KIND = "receipt_pdf"
LONG = 1_000  # jobs; a PDF of more is not made while somebody waits


def is_long(receipt: Receipt) -> bool:
    return receipt.items.count() > LONG


def file_name(receipt: Receipt, language: str) -> str:
    return str(get_valid_filename(f"{receipt}-{language}.pdf".lstrip("#")))


def order(receipt: Receipt, language: str) -> dict[str, Any]:
    """What is asked for. The state is part of it: a receipt that was paid since is another document."""
    moments = [moment.isoformat() for moment in (receipt.paid_at, receipt.voided_at) if moment]
    state = " ".join([receipt.status, *moments])
    return {"receipt": receipt.pk, "number": str(receipt), "document": language, "state": state}


def find_pdf(*, owner: str, receipt: Receipt, language: str) -> Work | None:
    """The work that makes this document for ``owner``, or has made it and keeps it."""
    return find_work(owner=owner, kind=KIND, parameters=order(receipt, language), kept=True)


def ask_for_pdf(*, actor: Actor, receipt: Receipt, language: str) -> Work:
    """Queue it; while it is under way the same order is the same work. Raises ``fonts.NoThaiFont`` as the PDF itself
    does, and ``TooMuch``."""
    if language == "th":
        fonts.thai()
    asked = order(receipt, language)
    return start_work(actor=actor, kind=KIND, title=_called(asked), parameters=asked, once=True)


def _called(asked: dict[str, Any]) -> str:
    thai, english = _("Receipt %(number)s as PDF (Thai)"), _("Receipt %(number)s as PDF (English)")
    return (thai if asked["document"] == "th" else english) % {"number": asked["number"]}


def _mine(work: Work) -> Receipt | None:
    return openable(Receipt.objects.all(), work.owner).filter(pk=work.parameters["receipt"]).first()


def _make(work: Work, report: Report) -> Outcome:
    """Safe to repeat: it changes nothing but the file of the work."""
    receipt, language = _mine(work), work.parameters["document"]
    if receipt is None:
        raise BadInput(_("There is no such receipt."))
    content = receipt_pdf(receipt=receipt, language=language, on_progress=report)
    size = report.write([content])
    return Outcome({"jobs": receipt.items.count(), "bytes": size}, file_name=file_name(receipt, language))


def _place(work: Work) -> Place:
    asked = work.parameters
    paper = "billing:receipt_pdf_th" if asked["document"] == "th" else "billing:receipt_pdf"
    return Place(reverse("billing:receipt", args=[asked["receipt"]]), reverse(paper, args=[asked["receipt"]]))


RECEIPT_PDF = Kind(
    gettext_lazy("PDF of a receipt"), _make, title=lambda work: _called(work.parameters),
    allowed=lambda work: _mine(work) is not None, place=_place,
)  # fmt: skip
