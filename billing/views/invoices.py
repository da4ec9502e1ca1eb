"""Invoices of the organisations whose bills one looks after: the list, one invoice, and why a line comes to that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.membership import BILLING, memberships
from accounts.models import Tier
from billing.models import Invoice, InvoiceStatus
from billing.selectors.documents.invoice_explain import explain_line
from billing.selectors.documents.invoices import (
    find_invoice,
    find_line,
    line_words,
    notes_words,
    overdue,
    paper_of,
    reason_words,
    sees_all_invoices,
    visible_invoices,
)

PAGE_SIZE = 25
OVERDUE = "overdue"


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    rows = visible_invoices(request.user)
    status = request.GET.get("status", "")
    conditions = {"": Q(), InvoiceStatus.FINALIZED.value: Q(status=InvoiceStatus.FINALIZED), OVERDUE: overdue(),
                  InvoiceStatus.PAID.value: Q(status=InvoiceStatus.PAID)}  # fmt: skip
    status = status if status in conditions else ""
    counts = rows.aggregate(**{f"n_{name}": Count("pk", filter=each) for name, each in conditions.items()})
    labels = {"": _("all"), InvoiceStatus.FINALIZED.value: _("to pay"), OVERDUE: _("overdue"),
              InvoiceStatus.PAID.value: _("paid")}  # fmt: skip
    page = Paginator(rows.filter(conditions[status]).order_by("-id"), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page, "status": status, "any": bool(counts["n_"]), "late": counts[f"n_{OVERDUE}"],
        "open": counts[f"n_{InvoiceStatus.FINALIZED.value}"],
        "tabs": [(name, label, counts[f"n_{name}"]) for name, label in labels.items()],
        "several": _several(rows),
    }  # fmt: skip
    return render(request, "billing/invoices.html", context)


@require_safe
@login_required
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    invoice = find_invoice(request.user, uuid)
    paper = paper_of(invoice)
    context: dict[str, Any] = {
        "invoice": invoice, "paper": paper, "lines": [(row, line_words(row)) for row in paper.lines],
        "taxes": [(row, reason_words(row)) for row in paper.taxes],
        "state": _state(invoice), "notes": notes_words(invoice), "staff": sees_all_invoices(request.user),
        "projects": any(row.project_id for row in paper.lines),
        "may_pay": memberships(request.user, BILLING).filter(organisation=invoice.organisation).exists(),
        "in_parts": settings.BILLING_PARTIAL_PAYMENTS,
        "provable": bool(settings.AUDIT_HEADS_FILE and invoice.digest),
        "provable_notes": bool(settings.AUDIT_HEADS_FILE and any(note.digest for note in paper.notes)),
    }  # fmt: skip
    return render(request, "billing/invoice.html", context)


@require_safe
@login_required
def line(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    invoice = find_invoice(request.user, uuid)
    row = find_line(invoice, number)
    explained = explain_line(row, cursor=request.GET.get("after", ""))
    context = {
        "invoice": invoice, "line": row, "words": line_words(row), "labels": _labels(), "explained": explained,
        "tier": Tier.objects.get(pk=explained.tier).label if explained.tier else "",
    }  # fmt: skip
    return render(request, "billing/invoice_line.html", context)


def _several(rows: QuerySet[Invoice]) -> bool:
    """Whether the list is about more than one organisation."""
    return len(rows.order_by().values_list("organisation", flat=True).distinct()[:2]) > 1


def _state(invoice: Invoice) -> tuple[str, str]:
    """What the chip says."""
    if invoice.is_overdue:
        return OVERDUE, _("overdue")
    return invoice.status, invoice.get_status_display()


def _labels() -> dict[str, str]:
    return {"cpu": _("Core-hours"), "gpu": _("GPU-hours"), "mem": _("GB-hours")}
