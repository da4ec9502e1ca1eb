"""Prices and documents."""

from billing.models.documents import InvoiceDocument
from billing.models.fees import ChargeKind, SubscriptionCharge
from billing.models.invoices import (
    INVOICE_TRANSITIONS,
    CreditEntry,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    InvoiceTemplate,
    LineKind,
)
from billing.models.money_in import InvoicePayment, InvoiceReturn
from billing.models.months import AdjustmentKind, ClosedMonth, MonthAdjustment
from billing.models.notices import InvoiceNotice, NoticeKind
from billing.models.numbers import DocumentCounter
from billing.models.prices import ChargeModel, Discount, ExchangeRate, PricingPlan, PricingStep, Quantity
from billing.models.rates import CpuBasis, Rate, RateVersion
from billing.models.receipts import RECEIPT_TRANSITIONS, PriceAt, Receipt, ReceiptItem, ReceiptStatus

__all__ = [
    "INVOICE_TRANSITIONS", "RECEIPT_TRANSITIONS", "AdjustmentKind", "ChargeKind", "ChargeModel", "ClosedMonth",
    "CpuBasis", "CreditEntry", "CreditNote", "CreditNoteLine", "Discount", "DocumentCounter", "ExchangeRate", "Invoice",
    "InvoiceDocument", "InvoiceLine", "InvoiceNotice", "InvoicePayment", "InvoiceReturn", "InvoiceStatus", "InvoiceTax",
    "InvoiceTemplate", "LineKind", "MonthAdjustment", "NoticeKind", "PriceAt", "PricingPlan", "PricingStep", "Quantity",
    "Rate", "RateVersion", "Receipt", "ReceiptItem", "ReceiptStatus", "SubscriptionCharge",
]  # fmt: skip
