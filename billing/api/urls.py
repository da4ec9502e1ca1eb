"""Billing's addresses below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from billing.api.discounts import DiscountEndView, DiscountsView
from billing.api.exchange_rates import ExchangeRatesView
from billing.api.explain import JobExplanationView, ReceiptExplanationView
from billing.api.invoice_acts import CreditNotesView, FinalizeView, ReceivedView, ReverseView
from billing.api.invoice_documents import CreditNotePdfView, CreditNoteSendView, InvoicePdfView, InvoiceSendView
from billing.api.invoice_drafts import CancelDraftView, RefreshView
from billing.api.invoices import InvoiceLineExplanationView, InvoicesView, InvoiceView
from billing.api.jobs import JobsView, JobView
from billing.api.journal import JournalView, TrialBalanceView
from billing.api.periods import ClosePeriodView, OpenPeriodView, PeriodsView
from billing.api.quotes import QuoteView
from billing.api.rates import RatesView
from billing.api.receipts import PreviewView, ReceiptItemsView, ReceiptsView, ReceiptView, VoidView
from billing.api.reports import ReportFileView, ReportsView, ReportView
from billing.api.subscriptions import CancelView, ChangePreviewView, ChangeView, ChargesView, KeepView
from billing.api.taxes import TaxRatesView, TaxRuleEndView, TaxRulesView
from billing.api.templates import TemplatePreviewView, TemplatesView, TemplateVariablesView, TemplateView
from billing.api.usage_prices import UsagePricesView, UsagePriceView
from billing.api.write_offs import TakeBackWriteOffView, WriteOffView

urlpatterns = [
    path("jobs", JobsView.as_view(), name="jobs"),
    path("jobs/<int:pk>", JobView.as_view(), name="job"),
    path("receipts", ReceiptsView.as_view(), name="receipts"),
    path("receipts/preview", PreviewView.as_view(), name="receipts_preview"),
    path("receipts/<int:pk>", ReceiptView.as_view(), name="receipt"),
    path("receipts/<int:pk>/items", ReceiptItemsView.as_view(), name="receipt_items"),
    path("receipts/<int:pk>/void", VoidView.as_view(), name="receipt_void"),
    path("subscriptions/<uuid:uuid>/change", ChangeView.as_view(), name="subscription_change"),
    path("subscriptions/<uuid:uuid>/change/preview", ChangePreviewView.as_view(), name="subscription_change_preview"),
    path("subscriptions/<uuid:uuid>/cancel", CancelView.as_view(), name="subscription_cancel"),
    path("subscriptions/<uuid:uuid>/keep", KeepView.as_view(), name="subscription_keep"),
    path("subscriptions/<uuid:uuid>/charges", ChargesView.as_view(), name="subscription_charges"),
    path("invoices", InvoicesView.as_view(), name="invoices"),
    path("invoices/<uuid:uuid>", InvoiceView.as_view(), name="invoice"),
    path("invoices/<uuid:uuid>/finalize", FinalizeView.as_view(), name="invoice_finalize"),
    path("invoices/<uuid:uuid>/credit-notes", CreditNotesView.as_view(), name="invoice_credit"),
    path("invoices/<uuid:uuid>/received", ReceivedView.as_view(), name="invoice_received"),
    path("invoices/<uuid:uuid>/received/<int:number>/reverse", ReverseView.as_view(), name="invoice_reverse"),
    path("invoices/<uuid:uuid>/refresh", RefreshView.as_view(), name="invoice_refresh"),
    path("invoices/<uuid:uuid>/cancel", CancelDraftView.as_view(), name="invoice_cancel"),
    path("invoices/<uuid:uuid>/write-off", WriteOffView.as_view(), name="invoice_write_off"),
    path("invoices/<uuid:uuid>/write-off/take-back", TakeBackWriteOffView.as_view(), name="invoice_expect_again"),
    path(
        "invoices/<uuid:uuid>/lines/<int:number>/explain",
        InvoiceLineExplanationView.as_view(),
        name="invoice_line_explain",
    ),
    path("journal", JournalView.as_view(), name="journal"),
    path("journal/trial-balance", TrialBalanceView.as_view(), name="trial_balance"),
    path("reports", ReportsView.as_view(), name="reports"),
    path("reports/<slug:name>", ReportView.as_view(), name="report"),
    path("reports/<slug:name>.<str:kind>", ReportFileView.as_view(), name="report_file"),
    path("invoices/<uuid:uuid>/pdf", InvoicePdfView.as_view(), name="invoice_pdf"),
    path("invoices/<uuid:uuid>/send", InvoiceSendView.as_view(), name="invoice_send"),
    path("credit-notes/<uuid:uuid>/pdf", CreditNotePdfView.as_view(), name="credit_note_pdf"),
    path("credit-notes/<uuid:uuid>/send", CreditNoteSendView.as_view(), name="credit_note_send"),
    path("invoice-templates", TemplatesView.as_view(), name="invoice_templates"),
    path("invoice-templates/preview", TemplatePreviewView.as_view(), name="invoice_template_preview"),
    path("invoice-templates/variables", TemplateVariablesView.as_view(), name="invoice_template_variables"),
    path("invoice-templates/<int:pk>", TemplateView.as_view(), name="invoice_template"),
    path("rates", RatesView.as_view(), name="rates"),
    path("usage-prices", UsagePricesView.as_view(), name="usage_prices"),
    path("usage-prices/<int:pk>", UsagePriceView.as_view(), name="usage_price"),
    path("exchange-rates", ExchangeRatesView.as_view(), name="exchange_rates"),
    path("discounts", DiscountsView.as_view(), name="discounts"),
    path("discounts/<int:pk>/end", DiscountEndView.as_view(), name="discount_end"),
    path("tax-rates", TaxRatesView.as_view(), name="tax_rates"),
    path("tax-rules", TaxRulesView.as_view(), name="tax_rules"),
    path("tax-rules/<int:pk>/end", TaxRuleEndView.as_view(), name="tax_rule_end"),
    path("accounting-periods", PeriodsView.as_view(), name="accounting_periods"),
    path("accounting-periods/close", ClosePeriodView.as_view(), name="accounting_period_close"),
    path("accounting-periods/open", OpenPeriodView.as_view(), name="accounting_period_open"),
    path("quote", QuoteView.as_view(), name="quote"),
    path("jobs/<int:pk>/explain", JobExplanationView.as_view(), name="job_explain"),
    path("receipts/<int:pk>/explain", ReceiptExplanationView.as_view(), name="receipt_explain"),
]
