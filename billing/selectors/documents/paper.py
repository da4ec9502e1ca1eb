"""What a receipt says on paper, read from the database; see ``billing.documents.paper``."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from django.conf import settings
from django.db.models import Sum
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from billing.documents.paper import Line, Paper, Row, Seller, State, Tax
from billing.models import Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.jobs.previews import Product
from core.money import HOUR_PLACES, places, quantize
from usage.models import Job

CHUNK = 500


def arithmetic(receipt: Receipt) -> list[Product]:
    """Sums of the lines' hours against the receipt's own rates."""
    sums = ReceiptItem.objects.filter(receipt=receipt).aggregate(
        cpu=Sum("cpu_core_hours"), gpu=Sum("gpu_hours"), mem=Sum("mem_gb_hours")
    )
    decimals = places(receipt.currency)
    products = []
    for name, label, rate in (
        ("cpu", _("Core-hours"), receipt.rate_cpu),
        ("gpu", _("GPU-hours"), receipt.rate_gpu),
        ("mem", _("GB-hours of memory"), receipt.rate_mem),
    ):
        hours = quantize(Decimal(sums[name] or 0), HOUR_PLACES)
        products.append(Product(label, hours, rate, quantize(hours * rate, decimals)))
    return products


def lines_total(receipt: Receipt) -> Decimal:
    """What the lines add up to: with the tax inside the prices that is the total."""
    return receipt.total if receipt.tax_inclusive else receipt.subtotal


def paper_of(receipt: Receipt) -> Paper:
    """The receipt in the active language. Its lines are read when they are asked for."""
    products = arithmetic(receipt)
    moments = (receipt.created_at, receipt.paid_at, receipt.voided_at)
    has_tax = bool(receipt.tax_rate or receipt.tax_amount)
    return Paper(
        number=str(receipt),
        seller=seller_of(receipt),
        buyer=f"{receipt.username} · {receipt.project_name}" if receipt.project_name else receipt.username,
        issued_on=receipt.issued_on,
        start=receipt.start,
        end=receipt.end,
        tier=receipt.tier_label,
        reasons=tuple(receipt.tier_reasons),
        price_at=receipt.get_price_at_display(),
        rates_as_of=receipt.rates_locked_at,
        currency=receipt.currency,
        rows=tuple(Row(each.label, each.hours, each.rate, each.cost) for each in products),
        rounding=lines_total(receipt) - sum((each.cost for each in products), Decimal(0)),
        subtotal=receipt.subtotal,
        total=receipt.total,
        tax=Tax(receipt.tax_label, receipt.tax_rate, receipt.tax_inclusive, receipt.tax_amount) if has_tax else None,
        state=_state(receipt),
        note=receipt.note,
        adjusts=receipt.adjusts_month,
        digest=receipt.digest,
        verify_url=verify_url(receipt),
        verify_page=settings.SITE_BASE_URL + reverse("billing:verify"),
        changed_at=max(moment for moment in moments if moment is not None),
        jobs=receipt.items.count(),
        lines=lambda: lines_of(receipt),
    )


def verify_url(receipt: Receipt) -> str:
    """Where anybody may ask whether the paper in their hand is genuine; the address carries the question."""
    question = urlencode({"number": receipt.document_number or "", "hash": receipt.digest})
    return f"{settings.SITE_BASE_URL}{reverse('billing:verify')}?{question}"


def lines_of(receipt: Receipt) -> Iterator[Line]:
    """Every line with the Slurm account of its job, a few hundred rows at a time."""
    items = receipt.items.order_by("job_id_display", "id").iterator(CHUNK)
    while batch := list(islice(items, CHUNK)):
        keys = [item.job_key for item in batch]
        accounts = dict(Job.objects.filter(job_key__in=keys).values_list("job_key", "account"))
        for item in batch:
            account = accounts.get(item.job_key, "")
            yield Line(item.job_id_display, account, item.cpu_core_hours, item.gpu_hours, item.mem_gb_hours, item.cost)


def seller_of(receipt: Receipt) -> Seller:
    """As frozen at issue. Receipts from before that was kept show who runs the site now."""
    now = {"name": settings.ORG_NAME, "address": settings.ORG_ADDRESS, "tax_id": settings.ORG_TAX_ID,
           "email": settings.ORG_EMAIL}  # fmt: skip
    known = receipt.seller or now
    return Seller(**{name: str(known.get(name) or "") for name in now})


def _state(receipt: Receipt) -> State:
    if receipt.status in (ReceiptStatus.PAID, ReceiptStatus.REFUNDED):
        return State(receipt.status, receipt.paid_at, receipt.tx_ref)
    if receipt.status == ReceiptStatus.VOID:
        return State("void", receipt.voided_at, receipt.void_reason)
    return State("pending")
