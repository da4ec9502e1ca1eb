"""Is a document still what was issued? Its content as the digest reads it, and the comparison."""

from __future__ import annotations

import hmac
from datetime import UTC
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection

from billing import digest
from billing.models import CreditNote, Invoice, Receipt
from billing.selectors.documents.invoice_digest import stored_digest, stored_note_digest

Document = Receipt | Invoice | CreditNote
NOBODYS = "-" * 64  # of a draft: equals no hash
LINE_FIELDS = ("job_key", "job_id_display", "cpu_core_hours", "gpu_hours", "mem_gb_hours", "cost")


def content_of(receipt: Receipt) -> dict[str, Any]:
    """Everything the paper says but its lines and its state, as text; see ``billing.digest``."""
    kept = {
        "tier_names": receipt.tier_names,
        "tier_by_account": receipt.tier_by_account,
        "project": receipt.project_name,
    }
    return {
        **{name: value for name, value in kept.items() if value},  # old receipts have neither tier, most no project
        "number": receipt.document_number,
        "issued_on": receipt.issued_on.isoformat(),
        "user": receipt.username,
        "start": receipt.start.isoformat(),
        "end": receipt.end.isoformat(),
        "currency": receipt.currency,
        "tier": receipt.pricing_tier_id,
        "tier_reason": receipt.tier_reason,
        "price_at": receipt.price_at,
        "cpu_basis": receipt.cpu_basis,
        "rates": [f"{rate:.6f}" for rate in (receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem)],
        "rates_locked_at": receipt.rates_locked_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "tax": [receipt.tax_label, f"{receipt.tax_rate:.2f}", receipt.tax_inclusive, f"{receipt.tax_amount:.2f}"],
        "subtotal": f"{receipt.subtotal:.2f}",
        "total": f"{receipt.total:.2f}",
        "seller": receipt.seller,
        "note": receipt.note,
        "adjusts_month": receipt.adjusts_month.isoformat() if receipt.adjusts_month else "",
    }


def digest_of(receipt: Receipt) -> str:
    """The hash of what is stored now: one statement for the lines, wherever the database can hash them itself."""
    return digest.document_hash(content_of(receipt), _lines_hash(receipt))


def is_unchanged(receipt: Receipt) -> bool:
    return receipt.digest == digest_of(receipt)


def numbers_like(text: str) -> set[str]:
    """A number as somebody typed it: blanks around it and the case of its letters do not matter.

    Exact values, so that the index of the numbers finds them.
    """
    text = text.strip()
    found = {text, text.upper(), text.lower()}
    for prefix in (
        settings.BILLING_RECEIPT_PREFIX, settings.BILLING_INVOICE_PREFIX, settings.BILLING_CREDIT_NOTE_PREFIX
    ):  # fmt: skip
        if prefix and text.lower().startswith(prefix.lower()):
            found.add(prefix + text[len(prefix) :])
    return found


class Verdict(StrEnum):
    """What may be said to anybody who holds a paper."""

    GENUINE = "genuine"
    CHANGED = "changed"  # issued here, but what is stored is no longer what was issued
    UNKNOWN = "unknown"  # no such number, or another hash: never said which


def verdict(*, number: str, digest: str) -> Verdict:
    """Whether a receipt, invoice or credit note of this number was issued with this hash (64 hexadecimal digits), and
    is unchanged.

    The stored hash is compared first; lines are read only for one who holds the right one.
    """
    found = find_document(number=number, digest=digest)
    if found is None:
        return Verdict.UNKNOWN
    return Verdict.GENUINE if hmac.compare_digest(_stored(found), digest) else Verdict.CHANGED


def _stored(found: Document) -> str:
    if isinstance(found, Receipt):
        return digest_of(found)
    return stored_note_digest(found) if isinstance(found, CreditNote) else stored_digest(found)


def find_document(*, number: str, digest: str) -> Document | None:
    """The document that was issued with this number and hash.

    Receipts, invoices and notes are all asked: a number keeps the prefix of its day, whatever the settings say now. And
    so it takes as long for a number that nobody has.
    """
    numbers = numbers_like(number)
    found: list[Document] = [
        *Receipt.objects.filter(document_number__in=numbers),
        *Invoice.objects.filter(invoice_number__in=numbers),
        *CreditNote.objects.filter(number__in=numbers),
    ]
    return next((each for each in found if hmac.compare_digest(each.digest or NOBODYS, digest)), None)


def _lines_hash(receipt: Receipt) -> str:
    if connection.vendor != "postgresql":
        lines = receipt.items.order_by("id").values_list(*LINE_FIELDS).iterator(2000)
        return digest.lines_hash(lines)
    line = "concat_ws(E'\\t', job_key, job_id_display, cpu_core_hours, gpu_hours, mem_gb_hours, cost)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT encode(sha256(convert_to(COALESCE(string_agg({line}, E'\\n' ORDER BY id), ''), 'UTF8')), 'hex')"
            " FROM receipt_items WHERE receipt_id = %s",
            [receipt.pk],
        )
        return str(cursor.fetchone()[0])
