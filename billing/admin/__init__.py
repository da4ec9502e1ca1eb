"""The console of this app, and of what usage shows with a price. Buttons call services; nothing is edited by hand."""

from billing.admin import adjustments, invoices, jobs, months, rates, receipts, tiers

__all__ = ["adjustments", "invoices", "jobs", "months", "rates", "receipts", "tiers"]
