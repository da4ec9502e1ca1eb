"""Named invariants of the books. Each returns what is wrong, in words; nothing when all is well."""

from __future__ import annotations

from collections.abc import Callable

from hpcbilling.books.invoices import (
    credit_notes,
    invoice_claims,
    invoice_digests,
    invoice_dues,
    invoice_numbers,
    invoice_totals,
)
from hpcbilling.books.jobs import billed_jobs, held_jobs, job_claims, job_products, receipt_prices, reviews
from hpcbilling.books.journal import journal, journal_balance, journal_periods, journal_receivable
from hpcbilling.books.money import audit_payments, invoice_money, open_attempts, payments, refunds, transfers
from hpcbilling.books.months import closed_months
from hpcbilling.books.papers import invoice_documents, stored_files
from hpcbilling.books.rates import current_rates, receipt_rates
from hpcbilling.books.receipts import (
    one_currency,
    receipt_digests,
    receipt_numbers,
    receipt_states,
    receipt_taxes,
    receipt_totals,
)
from hpcbilling.books.trail import audit_chain, audit_rates, audit_receipts, audit_trail

INVARIANTS: dict[str, Callable[[], list[str]]] = {
    check.__name__: check
    for check in (
        receipt_totals, receipt_taxes, receipt_rates, receipt_prices, receipt_numbers, receipt_digests, one_currency,
        job_claims, billed_jobs, receipt_states, closed_months, payments, refunds, open_attempts, transfers,
        audit_trail, audit_receipts, audit_payments, audit_rates, current_rates, held_jobs, job_products, reviews,
        audit_chain, invoice_totals, invoice_dues, invoice_numbers, invoice_digests, invoice_claims, credit_notes,
        invoice_money, stored_files, invoice_documents, journal, journal_balance, journal_receivable, journal_periods,
    )
}  # fmt: skip
