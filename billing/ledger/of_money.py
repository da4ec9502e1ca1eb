"""Money of invoices: what came in, what is in an organisation's favour, and what nobody expects any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from billing.ledger.chart import BAD_DEBT, CASH, CREDIT_BALANCE, RECEIVABLE, REFUNDS
from billing.ledger.facts import Adding, Fact, Look, Source, day_of, handfuls, unposted
from billing.models import CreditEntry, InvoicePayment, InvoiceReturn, SourceKind, WriteOff
from core.clock import real

MANUAL = "manual"


def _real(model: Any) -> QuerySet[Any]:
    return real(model.objects.select_related("invoice"), "invoice__organisation")


def _payments(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(_real(InvoicePayment), SourceKind.INVOICE_PAYMENT, look)
    for found in handfuls(rows):
        yield [
            Fact(
                SourceKind.INVOICE_PAYMENT, row.pk, row.currency, row.received_on, row.created_at,
                Adding().debit(CASH + row.method, row.amount).credit(RECEIVABLE, row.amount).done(),
                document=str(row.invoice), text=row.reference, organisation_id=row.invoice.organisation_id,
                invoice_id=row.invoice_id,
            )
            for row in found
        ]  # fmt: skip


def _returns(look: Look) -> Iterator[list[Fact]]:
    """What went back is due again (what the balance gave of it has an entry of its own), by the way it had come."""
    for found in handfuls(unposted(_real(InvoiceReturn), SourceKind.INVOICE_RETURN, look)):
        came = InvoicePayment.objects.filter(source__in={row.source for row in found})
        ways = dict(came.values_list("source", "method"))
        yield [
            Fact(
                SourceKind.INVOICE_RETURN, row.pk, row.currency, day_of(row.created_at), row.created_at,
                Adding().debit(RECEIVABLE, row.amount).credit(CASH + ways.get(row.source, MANUAL), row.amount).done(),
                document=str(row.invoice), text=row.reason or row.source, organisation_id=row.invoice.organisation_id,
                invoice_id=row.invoice_id,
            )
            for row in found
        ]  # fmt: skip


def _balances(look: Look) -> Iterator[list[Fact]]:
    """What is put in an organisation's favour leaves the receivable of its invoice, and the other way round; without an
    invoice it was given for nothing."""
    rows = unposted(real(CreditEntry.objects.select_related("invoice")), SourceKind.CREDIT_ENTRY, look)
    for found in handfuls(rows):
        yield [
            Fact(
                SourceKind.CREDIT_ENTRY, row.pk, row.currency, day_of(row.created_at), row.created_at,
                Adding().debit(RECEIVABLE if row.invoice_id else REFUNDS, row.amount)
                .credit(CREDIT_BALANCE, row.amount).done(),
                document=str(row.invoice or ""), text=row.reason, organisation_id=row.organisation_id,
                invoice_id=row.invoice_id,
            )
            for row in found
        ]  # fmt: skip


def _write_offs(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(_real(WriteOff), SourceKind.WRITE_OFF, look)
    for found in handfuls(rows):
        yield [
            Fact(
                SourceKind.WRITE_OFF, row.pk, row.currency, row.written_on, row.created_at,
                Adding().debit(BAD_DEBT, row.amount).credit(RECEIVABLE, row.amount).done(),
                document=str(row.invoice), text=row.reason, organisation_id=row.invoice.organisation_id,
                invoice_id=row.invoice_id,
            )
            for row in found
        ]  # fmt: skip


RETURNS = Source((SourceKind.INVOICE_RETURN,), "invoice_returns", _returns)
PAYMENTS = Source((SourceKind.INVOICE_PAYMENT,), "invoice_payments", _payments)
BALANCES = Source((SourceKind.CREDIT_ENTRY,), "credit_entries", _balances)
WRITE_OFFS = Source((SourceKind.WRITE_OFF,), "write_offs", _write_offs)
