"""Receipts, their lines, usage and the FOCUS data set as tables; ``EXPORTS`` in the settings names them."""

from billing.exports.focus import FOCUS
from billing.exports.receipts import ITEMS, PAID, PENDING, RECEIPTS, VOID
from billing.exports.usage import USAGE

__all__ = ["FOCUS", "ITEMS", "PAID", "PENDING", "RECEIPTS", "USAGE", "VOID"]
