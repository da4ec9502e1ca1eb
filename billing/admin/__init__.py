"""The console of this app, and of what usage shows with a price. Buttons call services; nothing is edited by hand."""

from billing.admin import adjustments, exchange, invoices, jobs, months, rates, receipts, tiers, usage_prices

__all__ = [
    "adjustments", "exchange", "invoices", "jobs", "months", "rates", "receipts", "tiers", "usage_prices",
]  # fmt: skip
