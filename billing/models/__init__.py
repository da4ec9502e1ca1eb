"""Prices and documents."""

from billing.models.documents import CreditNoteDocument, InvoiceDocument
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
    LineKind,
)
from billing.models.journal import (
    PERIOD_TRANSITIONS,
    AccountingPeriod,
    ExportColumn,
    ExportedEntry,
    JournalEntry,
    JournalExport,
    JournalPosting,
    JournalState,
    LedgerAccount,
    PeriodStatus,
    SourceKind,
    WriteOff,
)
from billing.models.money_in import BY_HAND, InvoicePayment, InvoiceReturn
from billing.models.months import AdjustmentKind, ClosedMonth, MonthAdjustment
from billing.models.notices import InvoiceNotice, NoticeKind
from billing.models.numbers import DocumentCounter
from billing.models.prices import ChargeModel, Discount, ExchangeRate, PricingPlan, PricingStep, Quantity
from billing.models.rates import CpuBasis, Rate, RateVersion
from billing.models.receipts import RECEIPT_TRANSITIONS, PriceAt, Receipt, ReceiptItem, ReceiptStatus
from billing.models.taxes import TaxCategory, TaxedKind, TaxRate, TaxRule
from billing.models.templates import InvoiceTemplate, TemplateKind

__all__ = [
    "BY_HAND", "INVOICE_TRANSITIONS", "PERIOD_TRANSITIONS", "RECEIPT_TRANSITIONS", "AccountingPeriod", "AdjustmentKind",
    "ChargeKind", "ChargeModel", "ClosedMonth", "CpuBasis", "CreditEntry", "CreditNote", "CreditNoteDocument",
    "CreditNoteLine",
    "Discount", "DocumentCounter", "ExchangeRate", "ExportColumn", "ExportedEntry", "Invoice", "InvoiceDocument",
    "InvoiceLine",
    "InvoiceNotice", "InvoicePayment", "InvoiceReturn", "InvoiceStatus", "InvoiceTax", "InvoiceTemplate",
    "JournalEntry", "JournalExport", "JournalPosting", "JournalState", "LedgerAccount", "LineKind", "MonthAdjustment",
    "NoticeKind", "PeriodStatus", "PriceAt", "PricingPlan", "PricingStep", "Quantity", "Rate", "RateVersion",
    "Receipt", "ReceiptItem", "ReceiptStatus", "SourceKind", "SubscriptionCharge", "TaxCategory", "TaxRate", "TaxRule",
    "TaxedKind", "TemplateKind", "WriteOff",
]  # fmt: skip
