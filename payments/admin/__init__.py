"""The finance console's pages about money: one module a noun."""

from payments.admin import events, payments, reconciliation, refunds

__all__ = ["events", "payments", "reconciliation", "refunds"]
