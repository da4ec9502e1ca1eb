"""Finance's view of invoices. Buttons call services; nothing is edited or deleted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from billing.admin import invoice_pages, invoice_payment_pages
from billing.admin.invoice_inlines import NoticeInline, ReturnInline
from billing.admin.invoice_papers import SEND, documents_of, emails_of
from billing.admin.write_offs import WriteOffActions
from billing.invoicing.problems import blocking, in_words
from billing.models import (
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoicePayment,
    InvoiceStatus,
    InvoiceTax,
)
from billing.selectors.documents.invoices import line_words, overdue, reason_words, reversible
from billing.services.invoices.credit_notes import CREDITABLE
from billing.services.invoices.drafts import cancel_draft, refresh_invoice
from billing.services.invoices.issue import finalize_anew
from billing.services.invoices.payments import PAYABLE
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, ReadOnlyInline, console_day
from core.console.list_filters import TestFilter
from core.context import Actor
from core.templatetags.hpc import status_chip
from core.words.wording import decimal_text, money_text, month_text, quantity_text, unit_text

SHOWN_LINES = 200


class LineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = ("line_number", "words", "project", "amount", "price", "sum", "off", "rest")
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[InvoiceLine]:
        rows: QuerySet[InvoiceLine] = super().get_queryset(request)
        return rows.select_related("project", "invoice").filter(line_number__lte=SHOWN_LINES)

    @admin.display(description=pgettext_lazy("line", "what"))
    def words(self, line: InvoiceLine) -> str:
        where = f"{line.invoice.get_absolute_url()}lines/{line.line_number}/"
        return format_html('<a href="{}">{}</a>', where, line_words(line))

    @admin.display(description=_("quantity"))
    def amount(self, line: InvoiceLine) -> str:
        return f"{quantity_text(line.quantity)} {unit_text(line.unit)}".strip()

    @admin.display(description=_("unit price"))
    def price(self, line: InvoiceLine) -> str:
        if line.unit_price is None:
            return "–"
        return f"{quantity_text(line.unit_price)} {line.original_currency}".strip()

    @admin.display(description=_("amount"))
    def sum(self, line: InvoiceLine) -> str:
        return money_text(line.total, line.currency)

    @admin.display(description=_("discount"))
    def off(self, line: InvoiceLine) -> str:
        return money_text(line.discount, line.currency)

    @admin.display(description=_("after discount"))
    def rest(self, line: InvoiceLine) -> str:
        return money_text(line.net, line.currency)


class MoneyInline(ReadOnlyInline):
    """Rows of an invoice whose amounts have its currency."""

    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description=_("amount"))
    def sum(self, row: Any) -> str:
        return money_text(row.amount, row.invoice.currency)


class TaxInline(MoneyInline):
    model = InvoiceTax
    fields = ("label", "percent", "category", "on", "sum", "why")
    readonly_fields = fields

    @admin.display(description=_("rate (%)"))
    def percent(self, row: InvoiceTax) -> str:
        return decimal_text(row.rate, 0, 2)

    @admin.display(description=_("on"))
    def on(self, row: InvoiceTax) -> str:
        return money_text(row.base, row.invoice.currency)

    @admin.display(description=_("reason"))
    def why(self, row: InvoiceTax) -> str:
        return reason_words(row)


class PaymentInline(MoneyInline):
    model = InvoicePayment
    fields = ("received_on", "sum", "method", "reference", "created_by")
    readonly_fields = fields


class NoteInline(ReadOnlyInline):
    model = CreditNote
    fields = ("number", "issue_date", "reason", "sum", "created_by")
    readonly_fields = fields

    @admin.display(description=_("total"))
    def sum(self, row: CreditNote) -> str:
        return money_text(row.total, row.currency)


class OverdueFilter(admin.SimpleListFilter):
    title, parameter_name = _("overdue"), "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        return queryset.filter(overdue()) if self.value() == "yes" else queryset


@admin.register(Invoice)
class InvoiceAdmin(WriteOffActions, PageActions, ReadOnlyAdmin):
    list_display = ("number", "organisation", "of_month", "amount", "due", "due_date", "standing", "open_problems")
    list_display_links = ("number",)
    list_filter = ("status", OverdueFilter, TestFilter, "year", "month", "currency")
    list_select_related = ("organisation",)
    search_fields = ("invoice_number", "=id", "organisation__name")
    list_per_page = 50
    change_list_template = "admin/billing/invoice/change_list.html"
    change_form_template = "admin/billing/invoice/change_form.html"
    inlines = (LineInline, TaxInline, NoteInline, PaymentInline, ReturnInline, NoticeInline)
    page_actions = ("refresh_action", "finalize_action", "cancel_action", "send_action", *WriteOffActions.of_write_offs)
    actions = page_actions
    fieldsets = (
        (None, {"fields": ("standing", "to_resolve", "organisation", "of_month")}),
        (_("Money"), {"fields": ("net", "off", "tax_sum", "amount", "paid", "credited", "written_off", "due")}),
        (_("Document"), {"fields": ("invoice_number", "issue_date", "due_date", "paid_at", "canceled_at",
                                    "cancel_reason", "watermark", "conversion", "digest", "template", "papers",
                                    "emails", "created_by",
                                    "created_at")}),
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("draft/", view(self.draft_view), name="billing_invoice_draft"),
            path("<int:pk>/credit/", view(self.credit_view), name="billing_invoice_credit"),
            path("<int:pk>/pay/", view(self.pay_view), name="billing_invoice_pay"),
            path("<int:pk>/reverse/", view(self.reverse_view), name="billing_invoice_reverse"),
            *super().get_urls(),
        ]

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.model._meta}

    def draft_view(self, request: HttpRequest) -> HttpResponse:
        return invoice_pages.draft_view(self, request, self._context(request))

    def credit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return invoice_pages.credit_view(self, request, pk, self._context(request))

    def pay_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return invoice_payment_pages.pay_view(self, request, pk, self._context(request))

    def reverse_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return invoice_payment_pages.reverse_view(self, request, pk, self._context(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        extra = {
            **(extra_context or {}),
            "may_pay": row is not None and row.status in PAYABLE and request.user.has_perm("billing.pay_invoice"),
            "may_reverse": row is not None
            and request.user.has_perm("billing.pay_invoice") and reversible(row).exists(),
            "may_credit": row is not None and row.status in CREDITABLE
            and (row.amount_credited < row.total or not row.total) and request.user.has_perm("billing.credit_invoice"),
        }  # fmt: skip
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=_("number"), ordering="invoice_number")
    def number(self, row: Invoice) -> str:
        return row.invoice_number or gettext("Draft %(number)s") % {"number": row.pk}

    @admin.display(description=_("month"), ordering="year")
    def of_month(self, row: Invoice) -> str:
        return month_text(row.first_day)

    @admin.display(description=_("total"), ordering="total")
    def amount(self, row: Invoice) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.total, row.currency))

    @admin.display(description=_("amount due"), ordering="amount_due")
    def due(self, row: Invoice) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount_due, row.currency))

    @admin.display(description=_("status"), ordering="status")
    def standing(self, row: Invoice) -> str:
        return status_chip("overdue", gettext("overdue")) if row.is_overdue else self.state(row)

    @admin.display(description=_("to resolve"))
    def open_problems(self, row: Invoice) -> str:
        number = len(blocking(row.problems)) if row.status == InvoiceStatus.DRAFT else 0
        return str(number) if number else "–"

    @admin.display(description=_("to resolve"))
    def to_resolve(self, row: Invoice) -> str:
        if not row.problems:
            return "–"
        items = format_html_join("", "<li>{}</li>", ((in_words(each),) for each in row.problems))
        return format_html('<ul class="notes">{}</ul>', items)

    @admin.display(description=_("subtotal"))
    def net(self, row: Invoice) -> str:
        return money_text(row.subtotal, row.currency)

    @admin.display(description=_("discount"))
    def off(self, row: Invoice) -> str:
        names = ", ".join(str(each) for each in row.discounts.all()) if row.discount else ""
        return f"{money_text(row.discount, row.currency)} {names}".strip()

    @admin.display(description=_("tax"))
    def tax_sum(self, row: Invoice) -> str:
        return money_text(row.tax, row.currency)

    @admin.display(description=_("paid so far"))
    def paid(self, row: Invoice) -> str:
        return money_text(row.amount_paid, row.currency)

    @admin.display(description=_("credited"))
    def credited(self, row: Invoice) -> str:
        return money_text(row.amount_credited, row.currency)

    @admin.display(description=_("conversion"))
    def conversion(self, row: Invoice) -> str:
        if row.exchange_rate is None:
            return "–"
        rate = quantity_text(row.exchange_rate, 12)
        text = f"1 {row.original_currency} = {rate} {row.currency}"
        return f"{text} · {console_day(row.conversion_date)} · {row.conversion_source}"

    @admin.display(description=_("documents"))
    def papers(self, row: Invoice) -> str:
        return documents_of(row)

    @admin.display(description=_("e-mails"))
    def emails(self, row: Invoice) -> str:
        return emails_of(row)

    def has_page_action(self, obj: Invoice, name: str) -> bool:
        if name == "send_action":
            return bool(obj.invoice_number)
        if name in self.of_write_offs:
            return self.may_write_off(obj, name)
        if obj.status != InvoiceStatus.DRAFT:
            return False
        return name != "finalize_action" or not blocking(obj.problems)

    def has_finalize_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.finalize_invoice")

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.send_invoice")

    @admin.action(description=_("Send by e-mail …"), permissions=["send"])
    def send_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return SEND.answer(self, request, queryset)

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_invoice")

    @admin.action(description=_("Compute anew …"), permissions=["draft"])
    def refresh_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return REFRESH.answer(self, request, queryset)

    @admin.action(description=_("Finalize …"), permissions=["finalize"])
    def finalize_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return FINALIZE.answer(self, request, queryset)

    @admin.action(description=_("Cancel the draft …"), permissions=["draft"])
    def cancel_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return CANCEL.answer(self, request, queryset)


def _cells(row: Invoice) -> tuple[str, ...]:
    return str(row), row.organisation.name, month_text(row.first_day), str(len(blocking(row.problems)) or "–")


def _refresh(actor: Actor, row: Invoice, text: str) -> bool:
    refresh_invoice(actor=actor, invoice=row)
    return True


REFRESH = ConfirmedAction(
    name="refresh_action",
    title=_("Compute drafts anew"),
    field_label="",
    status=InvoiceStatus.DRAFT,
    headers=(_("invoice"), _("organisation"), _("month"), _("to resolve")),
    row=_cells,
    money=lambda row: (row.total, row.currency),
    advice=_("Jobs, usage, fees, prices and discounts are gathered as they stand now."),
    button=lambda n: ngettext("Compute %(n)d draft anew", "Compute %(n)d drafts anew", n) % {"n": n},
    done=lambda n: ngettext("%(n)d draft computed anew.", "%(n)d drafts computed anew.", n) % {"n": n},
    run=_refresh,
    most=50,
)
FINALIZE = replace(
    REFRESH,
    name="finalize_action",
    title=_("Finalize invoices"),
    advice=_(
        "Each gets the next number and its due date, and never changes again: only a credit note corrects it. What is"
        " in an organisation's favour is used first."
    ),
    button=lambda n: ngettext("Finalize %(n)d invoice", "Finalize %(n)d invoices", n) % {"n": n},
    done=lambda n: ngettext("%(n)d invoice finalized.", "%(n)d invoices finalized.", n) % {"n": n},
    run=lambda actor, row, text: finalize_anew(actor=actor, invoice=row, expected=row.total),
)
CANCEL = replace(
    REFRESH,
    name="cancel_action",
    title=_("Cancel drafts"),
    field_label=_("Reason"),
    advice=_("Their jobs and fees can be billed again."),
    danger=True,
    button=lambda n: ngettext("Cancel %(n)d draft", "Cancel %(n)d drafts", n) % {"n": n},
    done=lambda n: ngettext("%(n)d draft canceled.", "%(n)d drafts canceled.", n) % {"n": n},
    run=lambda actor, row, text: cancel_draft(actor=actor, invoice=row, reason=text),
)
