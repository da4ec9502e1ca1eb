"""Credit notes and balances in the console: to read, never to edit."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from billing.admin.invoice_papers import SEND_NOTES, documents_of, emails_of_note
from billing.models import (
    CreditEntry,
    CreditNote,
    CreditNoteLine,
)
from core.console.admin import PageActions, ReadOnlyAdmin, ReadOnlyInline
from core.words.wording import money_text


class NoteLineInline(ReadOnlyInline):
    model = CreditNoteLine
    fields = ("line", "amount", "of_tax")
    readonly_fields = fields
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditNoteLine]:
        rows: QuerySet[CreditNoteLine] = super().get_queryset(request)
        return rows.select_related("line", "note")

    @admin.display(description=_("net"))
    def amount(self, row: CreditNoteLine) -> str:
        return money_text(row.net, row.note.currency)

    @admin.display(description=_("tax"))
    def of_tax(self, row: CreditNoteLine) -> str:
        return money_text(row.tax, row.note.currency)


@admin.register(CreditNote)
class CreditNoteAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("number", "invoice", "organisation", "issue_date", "reason", "sum")
    list_filter = (("issue_date", admin.DateFieldListFilter), "currency")
    list_select_related = ("invoice__organisation", "template")
    search_fields = ("number", "invoice__invoice_number", "invoice__organisation__name", "reason")
    list_per_page = 50
    inlines = (NoteLineInline,)
    actions = page_actions = ("send_action",)
    change_form_template = "admin/billing/creditnote/change_form.html"
    fields = ("number", "invoice", "organisation", "issue_date", "reason", "net", "of_tax", "sum", "digest",
              "template", "papers", "emails", "created_by", "created_at")  # fmt: skip

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.send_invoice")

    @admin.action(description=_("Send by e-mail …"), permissions=["send"])
    def send_action(self, request: HttpRequest, queryset: QuerySet[CreditNote]) -> HttpResponse | None:
        return SEND_NOTES.answer(self, request, queryset)

    @admin.display(description=_("PDFs"))
    def papers(self, row: CreditNote) -> str:
        return documents_of(row)

    @admin.display(description=_("e-mails"))
    def emails(self, row: CreditNote) -> str:
        return emails_of_note(row)

    @admin.display(description=_("organisation"))
    def organisation(self, row: CreditNote) -> str:
        return row.invoice.organisation.name

    @admin.display(description=_("subtotal"))
    def net(self, row: CreditNote) -> str:
        return money_text(row.subtotal, row.currency)

    @admin.display(description=_("tax"))
    def of_tax(self, row: CreditNote) -> str:
        return money_text(row.tax, row.currency)

    @admin.display(description=_("total"), ordering="total")
    def sum(self, row: CreditNote) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.total, row.currency))


@admin.register(CreditEntry)
class CreditEntryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "organisation", "sum", "invoice", "credit_note", "reason", "created_by")
    list_filter = ("currency", ("created_at", admin.DateFieldListFilter))
    list_select_related = ("organisation", "invoice", "credit_note")
    search_fields = ("organisation__name", "invoice__invoice_number", "reason")
    list_per_page = 50
    fields = ("organisation", "sum", "invoice", "credit_note", "reason", "created_by", "created_at")

    @admin.display(description=_("amount"), ordering="amount")
    def sum(self, row: CreditEntry) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount, row.currency))
