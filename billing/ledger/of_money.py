"""Money of invoices: what came in, what is in an organisation's favour, and what nobody expects any more."""

from __future__ import annotations

from collections.abc import Iterator

from billing.ledger.chart import BAD_DEBT, CASH, CREDIT_BALANCE, RECEIVABLE, REFUNDS
from billing.ledger.facts import Adding, Fact, Look, Source, day_of, handfuls, unposted
from billing.models import CreditEntry, InvoicePayment, SourceKind, WriteOff


def _payments(look: Look) -> Iterator[list[Fact]]:
    rows = unposted(InvoicePayment.objects.select_related("invoice"), SourceKind.INVOICE_PAYMENT, look)
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


def _balances(look: Look) -> Iterator[list[Fact]]:
    """What is put in an organisation's favour leaves the receivable of its invoice, and the other way round; without an
    invoice it was given for nothing."""
    rows = unposted(CreditEntry.objects.select_related("invoice"), SourceKind.CREDIT_ENTRY, look)
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
    rows = unposted(WriteOff.objects.select_related("invoice"), SourceKind.WRITE_OFF, look)
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


PAYMENTS = Source((SourceKind.INVOICE_PAYMENT,), "invoice_payments", _payments)
BALANCES = Source((SourceKind.CREDIT_ENTRY,), "credit_entries", _balances)
WRITE_OFFS = Source((SourceKind.WRITE_OFF,), "write_offs", _write_offs)
