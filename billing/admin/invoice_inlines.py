"""What else hangs on an invoice: money that went back, and what people were told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from billing.models import InvoiceNotice, InvoiceReturn
from core.console.admin import ReadOnlyInline
from core.words.wording import money_text


class ReturnInline(ReadOnlyInline):
    """Below nothing: it came back after all."""

    model = InvoiceReturn
    fields = readonly_fields = ("created_at", "sum", "of_balance", "source", "reason", "created_by")
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("amount"))
    def sum(self, row: InvoiceReturn) -> str:
        return money_text(row.amount, row.currency)

    @admin.display(description=_("taken from the balance"))
    def of_balance(self, row: InvoiceReturn) -> str:
        return money_text(row.from_balance, row.currency)


class NoticeInline(ReadOnlyInline):
    model = InvoiceNotice
    fields = readonly_fields = ("created_at", "kind", "step", "recipient")
    show_change_link = False
