"""Finance's view of receipts. Buttons call services; nothing is edited or deleted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Approval, ApprovalStatus
from accounts.tiers import describe_reason
from audit.exporting import recorded
from billing.admin import receipt_run
from billing.exports.receipts import RECEIPT_COLUMNS, receipt_rows
from billing.models import Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.jobs.months import closed_months_of
from billing.services.months import void_by_adjustment
from billing.services.receipts import mark_paid_by_hand, void_receipt
from billing.words.methods import method_label, methods
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, ReadOnlyInline, console_day
from core.console.list_filters import KnownFilter
from core.context import actor_of
from core.exports import csv_response, table_lines
from core.words.wording import decimal_text, money_text


class ReceiptItemInline(ReadOnlyInline):
    model = ReceiptItem
    fields = ("job_id_display", "job_key", "cpu_core_hours", "gpu_hours", "mem_gb_hours", "cost", "is_live")
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReceiptItem]:
        """The first lines only; the CSV has them all."""
        lines = super().get_queryset(request)
        receipt_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        shown = lines.filter(receipt_id=receipt_id).values_list("pk", flat=True)[:SHOWN_LINES]
        return lines.filter(pk__in=list(shown))


SHOWN_LINES = 50


class MethodFilter(KnownFilter):
    title, parameter_name = _("method"), "method"
    known = staticmethod(methods)


@admin.register(Receipt)
class ReceiptAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "document_number",
        "user",
        "window",
        "pricing_tier",
        "amount",
        "state",
        "paid_by",
        "paid_on",
        "created_on",
    )
    list_filter = (
        "status", "pricing_tier", ("created_at", admin.DateFieldListFilter), ("paid_at", admin.DateFieldListFilter),
        MethodFilter,
    )  # fmt: skip
    search_fields = ("document_number", "=id", "user__username", "tx_ref")
    list_select_related = ("user", "pricing_tier")
    list_per_page = 50
    change_list_template = "admin/billing/receipts.html"
    change_form_template = "admin/billing/receipt/change_form.html"
    inlines = (ReceiptItemInline,)
    actions = ("mark_paid_action", "void_action", "void_adjusting_action", "export_csv")
    page_actions = ("mark_paid_action", "void_action", "void_adjusting_action")
    fieldsets = (
        (None, {"fields": ("standing", "user", "project_name", "window", "pricing_tier", "why")}),
        (_("Money"), {"fields": ("net", "tax", "amount")}),
        (_("Payment"), {"fields": ("paid_by", "tx_ref", "paid_at")}),
        (_("Prices"), {"fields": ("rate_version", "rate_cpu", "rate_gpu", "rate_mem", "cpu_basis", "price_at",
                                  "rates_locked_at")}),
        (_("Document"), {"fields": ("document_number", "issued_on", "fiscal_year", "serial", "sold_by", "note",
                                    "adjusts_month", "digest", "created_by", "created_at")}),
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.run_view)
        return [path("run/", view, name="billing_receipt_run"), *super().get_urls()]

    def run_view(self, request: HttpRequest) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.model._meta}
        return receipt_run.view(self, request, context)

    @admin.display(description=_("window"), ordering="start")
    def window(self, receipt: Receipt) -> str:
        return f"{console_day(receipt.start)} – {console_day(receipt.end)}"

    @admin.display(description=_("total"), ordering="total")
    def amount(self, receipt: Receipt) -> str:
        return format_html('<span class="num">{}</span>', money_text(receipt.total, receipt.currency))

    @admin.display(description=_("method"), ordering="method")
    def paid_by(self, receipt: Receipt) -> str:
        return method_label(receipt.method) or "–"

    @admin.display(description=_("paid"), ordering="paid_at")
    def paid_on(self, receipt: Receipt) -> str:
        return console_day(receipt.paid_at)

    @admin.display(description=_("created"), ordering="created_at")
    def created_on(self, receipt: Receipt) -> str:
        return console_day(receipt.created_at)

    def get_fieldsets(self, request: HttpRequest, obj: Receipt | None = None) -> Any:
        if obj is None or obj.status != ReceiptStatus.VOID:
            return self.fieldsets
        voided = (_("Voided"), {"fields": ("voided_at", "voided_by", "void_reason")})
        return (*self.fieldsets[:1], voided, *self.fieldsets[1:])

    @admin.display(description=_("status"))
    def standing(self, receipt: Receipt) -> str:
        if not _second_asked(receipt):
            return self.state(receipt)
        where = f"{reverse('admin:accounts_approval_changelist')}?status__exact=open&q={receipt}"
        return format_html('{} <a href="{}">{}</a>', self.state(receipt), where, gettext("waits for a second person"))

    @admin.display(description=_("why this tier"))
    def why(self, receipt: Receipt) -> str:
        return format_html_join(mark_safe("<br>"), "{}", ((describe_reason(line),) for line in _reasons(receipt)))

    @admin.display(description=_("subtotal"))
    def net(self, receipt: Receipt) -> str:
        return money_text(receipt.subtotal, receipt.currency)

    @admin.display(description=_("tax"))
    def tax(self, receipt: Receipt) -> str:
        if not receipt.tax_label:
            return "–"
        words = gettext("%(label)s %(rate)s %%, in the prices") if receipt.tax_inclusive else "%(label)s %(rate)s %%"
        label = words % {"label": receipt.tax_label, "rate": decimal_text(receipt.tax_rate, 2)}
        return f"{label}: {money_text(receipt.tax_amount, receipt.currency)}"

    @admin.display(description=_("seller"))
    def sold_by(self, receipt: Receipt) -> str:
        return " · ".join(str(part) for part in receipt.seller.values() if part) or "–"

    def has_page_action(self, obj: Receipt, name: str) -> bool:
        if name == "mark_paid_action":
            return obj.status == ReceiptStatus.PENDING and not _second_asked(obj)
        if obj.status not in VOID.status:
            return False
        return bool(closed_months_of(obj)) == (name == "void_adjusting_action")

    def has_mark_paid_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.mark_paid_receipt")

    def has_void_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.void_receipt")

    @admin.action(description=_("Mark as paid …"), permissions=["mark_paid"])
    def mark_paid_action(self, request: HttpRequest, queryset: QuerySet[Receipt]) -> HttpResponse | None:
        return PAY.answer(self, request, queryset)

    @admin.action(description=_("Void …"), permissions=["void"])
    def void_action(self, request: HttpRequest, queryset: QuerySet[Receipt]) -> HttpResponse | None:
        return VOID.answer(self, request, queryset)

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return self.has_void_permission(request) and request.user.has_perm("billing.adjust_closedmonth")

    @admin.action(description=_("Void by adjustment of a closed month …"), permissions=["adjust"])
    def void_adjusting_action(self, request: HttpRequest, queryset: QuerySet[Receipt]) -> HttpResponse | None:
        return VOID_ADJUSTING.answer(self, request, queryset)

    @admin.action(description=_("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Receipt]) -> StreamingHttpResponse:
        rows = recorded(
            actor=actor_of(request), target="receipts", asked={"format": "csv", "chosen": True},
            rows=receipt_rows(Receipt.objects.filter(pk__in=queryset.order_by().values("pk"))),
        )  # fmt: skip
        return csv_response("receipts.csv", table_lines(RECEIPT_COLUMNS, rows))


def _second_asked(receipt: Receipt) -> bool:
    """Somebody has asked to mark it as paid, which waits for a second person."""
    return Approval.objects.filter(act="mark_paid", target=receipt.pk, status=ApprovalStatus.OPEN).exists()


def _reasons(receipt: Receipt) -> list[str]:
    return receipt.tier_reason.splitlines()


_RECEIPT_HEADERS = (_("receipt"), _("user"), _("from"), _("to"))


def _receipt_cells(receipt: Receipt) -> tuple[str, ...]:
    return str(receipt), receipt.username, console_day(receipt.start), console_day(receipt.end)


PAY = ConfirmedAction(
    name="mark_paid_action",
    title=_("Mark receipts as paid"),
    field_label=_("Payment reference (transfer slip, receipt number)"),
    status=ReceiptStatus.PENDING,
    headers=_RECEIPT_HEADERS,
    row=_receipt_cells,
    money=lambda receipt: (receipt.total, receipt.currency),
    button=lambda n: ngettext("Mark %(n)d receipt as paid", "Mark %(n)d receipts as paid", n) % {"n": n},
    done=lambda n: ngettext("%(n)d receipt marked as paid.", "%(n)d receipts marked as paid.", n) % {"n": n},
    run=lambda actor, receipt, text: mark_paid_by_hand(actor=actor, receipt=receipt, tx_ref=text),
)
VOID = replace(
    PAY,
    name="void_action",
    title=_("Void receipts"),
    field_label=_("Reason"),
    advice=_("Their jobs can be billed again, on another receipt. Their numbers stay, and cannot be used again."),
    danger=True,
    status=(ReceiptStatus.PENDING, ReceiptStatus.REFUNDED),
    button=lambda n: ngettext("Void %(n)d receipt", "Void %(n)d receipts", n) % {"n": n},
    done=lambda n: ngettext("%(n)d receipt voided.", "%(n)d receipts voided.", n) % {"n": n},
    run=lambda actor, receipt, text: void_receipt(actor=actor, receipt=receipt, reason=text),
)
VOID_ADJUSTING = replace(
    VOID,
    name="void_adjusting_action",
    title=_("Void receipts by adjustment of a closed month"),
    field_label=_("Reason, kept with the receipt and with the adjustment"),
    advice=_("Their jobs can be billed again; those of a closed month only by an adjustment of it."),
    run=lambda actor, receipt, text: void_by_adjustment(actor=actor, receipt=receipt, reason=text),
)
