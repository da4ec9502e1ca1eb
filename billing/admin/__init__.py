"""The console of this app, and of what usage shows with a price. Buttons call services; nothing is edited by hand."""

from billing.admin import (
    adjustments,
    charges,
    credit_notes,
    exchange,
    invoices,
    jobs,
    journal,
    months,
    periods,
    rates,
    receipts,
    subscriptions,
    taxes,
    templates,
    tiers,
    usage_prices,
    write_offs,
)

__all__ = [
    "adjustments", "charges", "credit_notes", "exchange", "invoices", "jobs", "journal", "months", "periods", "rates",
    "receipts", "subscriptions", "taxes", "templates", "tiers", "usage_prices", "write_offs",
]  # fmt: skip
