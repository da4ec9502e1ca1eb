"""The finance console's pages about money: one module a noun."""

from payments.admin import events, payments

__all__ = ["events", "payments"]
