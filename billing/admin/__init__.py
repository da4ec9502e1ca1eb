"""The console of this app, and of what usage shows with a price. Buttons call services; nothing is edited by hand."""

from billing.admin import adjustments, charges, jobs, months, rates, receipts, subscriptions, tiers

__all__ = ["adjustments", "charges", "jobs", "months", "rates", "receipts", "subscriptions", "tiers"]
