"""One box of the console: a receipt, an invoice, a job, a person or a payment by whatever number somebody has in hand.

Exact look-ups into indexes only, so it is as quick among ten million jobs as among ten. Each kind only for those
who may open its list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.models.users import fold_username
from billing.models import CreditNote, Invoice, InvoicePayment, Receipt
from core.words import wording
from payments.models import BankTransfer, Payment, Refund
from payments.services.transfers import plain_reference
from usage.finding import jobs_called, whole_number
from usage.models import Job

SHOWN = 20
LONGEST = 255


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be found: ``look`` gives the rows for a term, ``cells`` what is shown beside the name."""

    model: type[Model]
    label: str | Promise
    look: Callable[[str], QuerySet[Any]]
    cells: Callable[[Any], tuple[str, ...]]

    @property
    def permission(self) -> str:
        return f"{self.model._meta.app_label}.view_{self.model._meta.model_name}"


@dataclass(frozen=True, slots=True)
class Hit:
    name: str
    url: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    label: str
    hits: list[Hit]
    more: bool


def _receipts(term: str) -> QuerySet[Receipt]:
    condition = Q(document_number__in=[term, term.upper()]) | Q(tx_ref=term)
    if (number := whole_number(term.lstrip("#"))) is not None:
        condition |= Q(pk=number)
    return Receipt.objects.filter(condition).select_related("user").order_by("-pk")


def _invoices(term: str) -> QuerySet[Invoice]:
    """By number, by the number of a draft, or by the reference of money that came in for it."""
    paid = InvoicePayment.objects.filter(reference=term).order_by("-pk").values_list("invoice", flat=True)
    condition = Q(invoice_number__in=[term, term.upper()]) | Q(pk__in=list(paid[: SHOWN + 1]))
    if (number := whole_number(term.lstrip("#"))) is not None:
        condition |= Q(pk=number)
    return Invoice.objects.filter(condition).select_related("organisation").order_by("-pk")


def _credit_notes(term: str) -> QuerySet[CreditNote]:
    notes = CreditNote.objects.filter(number__in=[term, term.upper()])
    return notes.select_related("invoice__organisation").order_by("-pk")


def _jobs(term: str) -> QuerySet[Job]:
    return Job.objects.filter(jobs_called(term)).order_by("-pk")


def _people(term: str) -> QuerySet[User]:
    """The one of that name; else those whose names begin like that."""
    name = fold_username(term)
    exact = User.objects.filter(username=name)
    return exact if exact.exists() else User.objects.filter(username__startswith=name).order_by("username")


def _payments(term: str) -> QuerySet[Payment]:
    known = Q(provider__in=settings.PAYMENT_PROVIDERS)  # the provider stands first in the indexes of its ids
    condition = Q(idempotency_key=term) | (known & (Q(external_payment_id=term) | Q(external_charge_id=term)))
    if (number := whole_number(term.lstrip("#"))) is not None:
        condition |= Q(pk=number)
    return Payment.objects.filter(condition).select_related("receipt", "invoice").order_by("-pk")


def _transfers(term: str) -> QuerySet[BankTransfer]:
    return BankTransfer.objects.filter(reference=plain_reference(term)).select_related("payment").order_by("-pk")


def _refunds(term: str) -> QuerySet[Refund]:
    return Refund.objects.filter(Q(external_refund_id=term) | Q(idempotency_key=term)).order_by("-pk")


def _payment_cells(row: Payment) -> tuple[str, ...]:
    return str(row.document), wording.money_text(row.amount, row.currency), str(row.get_status_display())


KINDS = (
    Kind(
        Receipt, _("Receipts"), _receipts,
        lambda row: (row.username, wording.money_text(row.total, row.currency), str(row.get_status_display())),
    ),
    Kind(
        Invoice, _("Invoices"), _invoices,
        lambda row: (
            row.organisation.name, wording.money_text(row.total, row.currency), str(row.get_status_display()),
        ),
    ),
    Kind(
        CreditNote, _("Credit notes"), _credit_notes,
        lambda row: (
            row.invoice.organisation.name, str(row.invoice), wording.money_text(row.total, row.currency),
        ),
    ),
    Kind(
        Job, _("Jobs"), _jobs,
        lambda row: (row.username, row.account, row.state, wording.moment_text(row.end_at)),
    ),
    Kind(User, _("Users"), _people, lambda row: (str(row.get_role_display()),)),
    Kind(Payment, _("Payments"), _payments, _payment_cells),
    Kind(
        BankTransfer, _("Bank transfers"), _transfers,
        lambda row: (
            row.submitted_by, wording.money_text(row.claimed, row.payment.currency), str(row.get_status_display()),
        ),
    ),
    Kind(
        Refund, _("Refunds"), _refunds,
        lambda row: (wording.money_text(row.amount, row.payment.currency), str(row.get_status_display())),
    ),
)  # fmt: skip


def search(request: HttpRequest, term: str) -> Iterator[Found]:
    """Every kind with hits, for this viewer."""
    for kind in KINDS:
        if not request.user.has_perm(kind.permission):
            continue
        rows = list(kind.look(term)[: SHOWN + 1])
        if rows:
            yield Found(str(kind.label), [_hit(kind, row) for row in rows[:SHOWN]], len(rows) > SHOWN)


def _hit(kind: Kind, row: Any) -> Hit:
    meta = kind.model._meta
    return Hit(str(row), reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]), kind.cells(row))


def view(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    """A single hit is opened at once."""
    term = request.GET.get("q", "").strip()[:LONGEST]
    found = list(search(request, term)) if term else []
    if len(found) == 1 and len(found[0].hits) == 1:
        return redirect(found[0].hits[0].url)
    context = {**site.each_context(request), "title": _("Search"), "term": term, "found": found}
    return TemplateResponse(request, "admin/search.html", context)


def urls(site: AdminSite) -> list[URLPattern]:
    return [path("search/", site.admin_view(lambda request: view(site, request)), name="search")]
