"""Prices and documents."""

from billing.models.months import AdjustmentKind, ClosedMonth, MonthAdjustment
from billing.models.numbers import DocumentCounter
from billing.models.rates import CpuBasis, Rate, RateVersion
from billing.models.receipts import RECEIPT_TRANSITIONS, PriceAt, Receipt, ReceiptItem, ReceiptStatus

__all__ = [
    "RECEIPT_TRANSITIONS",
    "AdjustmentKind",
    "ClosedMonth",
    "CpuBasis",
    "DocumentCounter",
    "MonthAdjustment",
    "PriceAt",
    "Rate",
    "RateVersion",
    "Receipt",
    "ReceiptItem",
    "ReceiptStatus",
]
