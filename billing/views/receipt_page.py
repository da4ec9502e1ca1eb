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
from billing.models import Receipt, ReceiptStatus
from billing.selectors.documents.paper import arithmetic, lines_total
from core.money import from_minor
from core.words.wording import actor_text, money_text
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


def context(receipt: Receipt, page_number: str | None) -> dict[str, Any]:
    """One page of its lines, on screen and on paper; every line on paper is what the PDF is for."""
    items = receipt.items.order_by("job_id_display", "id")
    page = Paginator(items, LINES_PER_PAGE).get_page(page_number)
    jobs = Job.objects.in_bulk([item.job_key for item in page], field_name="job_key")
    products = arithmetic(receipt)
    # Payments are an app above this one; the receipt only follows its own reverse relation.
    payments = list(receipt.payments.order_by("id").prefetch_related("refunds"))
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
    """Created, checkout opened, paid, refunded or void, by time; what is still awaited stands last, without one.

    The actor of a payment comes from the audit log.
    """
    steps = [Step(_("Created"), receipt.created_at, actor_text(receipt.created_by), tone="good")]
    for payment in payments:
        tone = {"failed": "bad", "needs_review": "bad"}.get(payment.status, "")
        steps.append(
            Step(_("Checkout opened"), payment.created_at, payment.username, payment.get_status_display(), tone)
        )
        steps += [_refund(refund, payment) for refund in payment.refunds.all()]
    if receipt.paid_at:
        online = any(payment.status == "succeeded" for payment in payments)
        who = actor_text(_actor(receipt, "mark_paid"))
        steps.append(Step(_("Paid"), receipt.paid_at, who, _how_paid(receipt, online), "good"))
    if receipt.voided_at:
        steps.append(Step(_("Voided"), receipt.voided_at, actor_text(receipt.voided_by), receipt.void_reason))
    steps.sort(key=lambda step: step.when or receipt.created_at)
    if receipt.status == ReceiptStatus.PENDING:
        checked = any(payment.status == "needs_review" for payment in payments)
        words = _("Finance is looking at a payment") if checked else _("Waiting for payment")
        steps.append(Step(words, None, tone="warn"))
    return steps


def _refund(refund: Any, payment: Any) -> Step:
    what = {
        "succeeded": _("Refunded"), "failed": _("Refund failed"), "canceled": _("Refund canceled"),
        "needs_review": _("Finance is looking at a refund"),
    }.get(refund.status, _("Refund under way"))  # fmt: skip
    tone = {"succeeded": "good", "failed": "bad", "needs_review": "bad", "canceled": ""}.get(refund.status, "warn")
    amount = money_text(from_minor(refund.amount_cents, payment.currency), payment.currency)
    note = " · ".join(part for part in (amount, refund.reason) if part)
    return Step(what, refund.settled_at or refund.created_at, actor_text(refund.created_by), note, tone)


def _how_paid(receipt: Receipt, online: bool) -> str:
    """The name of a payment provider says nothing to a reader; a method that finance wrote does."""
    if online:
        return _("paid online, reference %(reference)s") % {"reference": receipt.tx_ref}
    if receipt.method == "manual":
        return _("recorded by finance, reference %(reference)s") % {"reference": receipt.tx_ref}
    return " ".join(part for part in (receipt.method, receipt.tx_ref) if part)


def _actor(receipt: Receipt, action: str) -> str:
    entries = AuditLog.objects.filter(entity_type="receipt", entity_id=str(receipt.pk), action=action)
    return entries.values_list("actor", flat=True).first() or ""
