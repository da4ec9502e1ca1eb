"""Prices and documents."""

from billing.models.rates import CpuBasis, Rate, RateVersion
from billing.models.receipts import RECEIPT_TRANSITIONS, Receipt, ReceiptItem, ReceiptStatus

__all__ = ["RECEIPT_TRANSITIONS", "CpuBasis", "Rate", "RateVersion", "Receipt", "ReceiptItem", "ReceiptStatus"]
