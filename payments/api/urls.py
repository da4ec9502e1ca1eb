"""Payments' addresses below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from payments.api.invoices import InvoicePaymentsView

urlpatterns = [
    path("invoices/<uuid:uuid>/payments", InvoicePaymentsView.as_view(), name="invoice_payments"),
]
