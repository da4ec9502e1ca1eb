"""What a receipt's page shows: its lines, the arithmetic and its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Sum
from django.utils.translation import gettext as _

from audit.models import AuditLog
from billing.models import Receipt, ReceiptItem
from core.money import HOUR_PLACES, places, quantize
from usage.models import Job

LINES_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One dot of the timeline."""

    what: str
    when: datetime | None
    who: str = ""
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Product:
    """quantity x rate = cost, the cost rounded for reading."""

    label: str
    hours: Decimal
    rate: Decimal
    cost: Decimal


def context(receipt: Receipt, page_number: str | None) -> dict[str, Any]:
    page = Paginator(receipt.items.order_by("job_id_display", "id"), LINES_PER_PAGE).get_page(page_number)
    jobs = Job.objects.in_bulk([item.job_key for item in page], field_name="job_key")
    products = arithmetic(receipt)
    return {
        "page": page,
        "lines": [(item, jobs.get(item.job_key)) for item in page],
        "products": products,
        "hours": {product.label: product.hours for product in products},
        "rounding": receipt.subtotal - sum((product.cost for product in products), Decimal(0)),
        "timeline": timeline(receipt),
    }


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


def timeline(receipt: Receipt) -> list[Step]:
    """Created, checkout opened, paid or void; the actor of a payment comes from the audit log."""
    steps = [Step(_("Created"), receipt.created_at, receipt.created_by, tone="good")]
    # Payments are an app above this one; the receipt only follows its own reverse relation.
    for payment in receipt.payments.order_by("id"):
        tone = {"failed": "bad", "needs_review": "bad"}.get(payment.status, "")
        note = f"{payment.provider}, {payment.get_status_display()}"
        steps.append(Step(_("Checkout opened"), payment.created_at, payment.username, note, tone))
    if receipt.paid_at:
        note = " ".join(part for part in (receipt.method, receipt.tx_ref) if part)
        steps.append(Step(_("Paid"), receipt.paid_at, _actor(receipt, "mark_paid"), note, "good"))
    elif receipt.voided_at:
        steps.append(Step(_("Voided"), receipt.voided_at, receipt.voided_by, receipt.void_reason))
    else:
        steps.append(Step(_("Waiting for payment"), None, tone="warn"))
    return steps


def _actor(receipt: Receipt, action: str) -> str:
    entries = AuditLog.objects.filter(entity_type="receipt", entity_id=str(receipt.pk), action=action)
    return entries.values_list("actor", flat=True).first() or ""
