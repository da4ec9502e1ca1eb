"""What a receipt's page shows: its lines, the arithmetic and its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.utils.translation import gettext as _

from audit.models import AuditLog
from billing.models import Receipt
from billing.selectors.paper import arithmetic, lines_total
from core.context import SYSTEM
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


def context(receipt: Receipt, page_number: str | None, *, every_line: bool = False) -> dict[str, Any]:
    """``every_line``: all of them on one page, for paper."""
    items = receipt.items.order_by("job_id_display", "id")
    page = Paginator(items, max(items.count(), 1) if every_line else LINES_PER_PAGE).get_page(page_number)
    jobs = Job.objects.in_bulk([item.job_key for item in page], field_name="job_key")
    products = arithmetic(receipt)
    # Payments are an app above this one; the receipt only follows its own reverse relation.
    payments = list(receipt.payments.order_by("id"))
    return {
        "page": page,
        "lines": [(item, jobs.get(item.job_key)) for item in page],
        "products": products,
        "hours": {product.label: product.hours for product in products},
        "lines_total": lines_total(receipt),
        "rounding": lines_total(receipt) - sum((product.cost for product in products), Decimal(0)),
        "in_review": any(payment.status == "needs_review" for payment in payments),
        "timeline": timeline(receipt, payments),
    }


def timeline(receipt: Receipt, payments: Sequence[Any]) -> list[Step]:
    """Created, checkout opened, paid or void; the actor of a payment comes from the audit log."""
    steps = [Step(_("Created"), receipt.created_at, _person(receipt.created_by), tone="good")]
    for payment in payments:
        tone = {"failed": "bad", "needs_review": "bad"}.get(payment.status, "")
        steps.append(
            Step(_("Checkout opened"), payment.created_at, payment.username, payment.get_status_display(), tone)
        )
    if receipt.paid_at:
        online = any(payment.status == "succeeded" for payment in payments)
        who = _person(_actor(receipt, "mark_paid"))
        steps.append(Step(_("Paid"), receipt.paid_at, who, _how_paid(receipt, online), "good"))
    elif receipt.voided_at:
        steps.append(Step(_("Voided"), receipt.voided_at, _person(receipt.voided_by), receipt.void_reason))
    elif any(payment.status == "needs_review" for payment in payments):
        steps.append(Step(_("Finance is looking at a payment"), None, tone="warn"))
    else:
        steps.append(Step(_("Waiting for payment"), None, tone="warn"))
    return steps


def _how_paid(receipt: Receipt, online: bool) -> str:
    """The name of a payment provider says nothing to a reader; a method that finance wrote does."""
    if online:
        return _("paid online, reference %(reference)s") % {"reference": receipt.tx_ref}
    if receipt.method == "manual":
        return _("recorded by finance, reference %(reference)s") % {"reference": receipt.tx_ref}
    return " ".join(part for part in (receipt.method, receipt.tx_ref) if part)


def _person(actor: str) -> str:
    """Who did it, in words where it was no person."""
    if actor.startswith("provider:"):
        return _("payment service")
    return _("automatically") if actor == SYSTEM.name else actor


def _actor(receipt: Receipt, action: str) -> str:
    entries = AuditLog.objects.filter(entity_type="receipt", entity_id=str(receipt.pk), action=action)
    return entries.values_list("actor", flat=True).first() or ""
