"""The finance console's pages about money: one module a noun."""

from payments.admin import events, lines, payments, reconciliation, refunds, transfers

__all__ = ["events", "lines", "payments", "reconciliation", "refunds", "transfers"]
