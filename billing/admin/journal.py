"""The journal in the console: entries, the chart of accounts, and what was handed to the ERP."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from audit.audited import AuditedAdmin
from audit.exporting import recorded
from billing.models import ExportColumn, JournalEntry, JournalExport, JournalPosting, LedgerAccount
from billing.reports.fields import MonthField
from billing.selectors.journal_export import FIELDS, account_of, chart, columns_of_export, rows_of_export
from billing.services.ledger.journal_exports import export_journal, waiting
from core.console.admin import CappedPaginator, ReadOnlyAdmin, ReadOnlyInline, console_day
from core.context import actor_of
from core.errors import AppError
from core.exports import FORMATS, FORMULA_STARTS, table_response
from core.periods import month_end, month_start, previous_month, today
from core.words.wording import money_text


class PostingInline(ReadOnlyInline):
    model = JournalPosting
    fields = ("debit_account", "credit_account", "sum", "debit_month", "credit_month")
    readonly_fields = fields
    show_change_link = False
    ordering = ("position",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[JournalPosting]:
        rows: QuerySet[JournalPosting] = super().get_queryset(request)
        return rows.select_related("entry")

    @cached_property
    def accounts(self) -> dict[str, dict[str, str]]:
        return chart()

    def _words(self, role: str) -> str:
        account = account_of(self.accounts, role)
        return f"{account['number']} {account['name']}"

    @admin.display(description=_("debit"))
    def debit_account(self, row: JournalPosting) -> str:
        return self._words(row.debit)

    @admin.display(description=_("credit"))
    def credit_account(self, row: JournalPosting) -> str:
        return self._words(row.credit)

    @admin.display(description=_("amount"))
    def sum(self, row: JournalPosting) -> str:
        return money_text(row.amount, row.entry.currency)


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = ("number", "dated", "of_day", "kind", "document", "customer", "sum", "is_exported")
    list_filter = ("kind", "currency", ("date", admin.DateFieldListFilter))
    list_select_related = ("organisation", "user", "exported")
    search_fields = ("=document", "organisation__name", "=user__username")
    search_help_text = _("Number of a document, organisation or user")
    list_per_page = 50
    inlines = (PostingInline,)
    fields = ("number", "kind", "dated", "of_day", "document", "customer", "text", "invoice", "receipt", "sequence",
              "reverses", "posted_by", "posted_at")  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[JournalEntry]:
        rows: QuerySet[JournalEntry] = super().get_queryset(request)
        return rows.annotate(amount=Sum("postings__amount"))

    @admin.display(description=_("entry"), ordering="pk")
    def number(self, row: JournalEntry) -> str:
        return str(row)

    @admin.display(description=_("date"), ordering="date")
    def dated(self, row: JournalEntry) -> str:
        return console_day(row.date)

    @admin.display(description=_("day of the fact"), ordering="fact_date")
    def of_day(self, row: JournalEntry) -> str:
        return console_day(row.fact_date)

    @admin.display(description=_("customer"))
    def customer(self, row: JournalEntry) -> str:
        return row.organisation.name if row.organisation else row.user_id or "–"

    @admin.display(description=_("moved"))
    def sum(self, row: Any) -> str:
        return format_html('<span class="num">{}</span>', money_text(row.amount or 0, row.currency))

    @admin.display(description=_("exported"))
    def is_exported(self, row: JournalEntry) -> str:
        found = getattr(row, "exported", None)
        return f"#{found.export_id}" if found else "–"


@admin.register(LedgerAccount)
class LedgerAccountAdmin(AuditedAdmin):
    """The roles are the program's, numbers and names the site's."""

    list_display = ("number", "label", "role", "cost_centre")
    search_fields = ("number", "name", "name_th", "role")
    ordering = ("number", "role")
    fields = ("role", "number", "name", "name_th", "cost_centre")
    readonly_fields = ("role",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("name"), ordering="name")
    def label(self, row: LedgerAccount) -> str:
        return row.label


class ColumnForm(forms.ModelForm):
    field = forms.ChoiceField(label=_("Content"))

    class Meta:
        model = ExportColumn
        fields = ("position", "field", "head")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["field"].choices = [(name, f"{name} – {each.label}") for name, each in FIELDS.items()]  # type: ignore[attr-defined]

    def clean_head(self) -> str:
        head = str(self.cleaned_data["head"])
        if head.startswith(FORMULA_STARTS) or not head.isprintable():
            raise forms.ValidationError(gettext("A head that a spreadsheet would take for a formula."))
        return head


@admin.register(ExportColumn)
class ExportColumnAdmin(AuditedAdmin):
    form = ColumnForm
    list_display = ("position", "head", "field")
    ordering = ("position",)


class BatchForm(forms.Form):
    until = MonthField(label=_("Up to the month"))

    def clean_until(self) -> Any:
        if self.cleaned_data["until"] is None:
            raise forms.ValidationError(gettext("Choose a month."))
        return self.cleaned_data["until"]


@admin.register(JournalExport)
class JournalExportAdmin(ReadOnlyAdmin):
    list_display = ("number", "first_day", "last_day", "entries", "created_by", "created_at", "files")
    change_list_template = "admin/billing/journal_exports.html"
    list_per_page = 50
    fields = ("number", "first_day", "last_day", "entries", "created_by", "created_at", "files")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("new/", wrap(self.new_view), name="billing_journalexport_new"),
            path("<int:pk>.<str:kind>", wrap(self.file_view), name="billing_journalexport_file"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"waiting": waiting()[: CappedPaginator.most].count(), "may_export": self._may(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_journalexport")

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """First what would go out, then (with ``confirm``) the batch."""
        if not (self._may(request) and self.has_view_permission(request)):
            raise PermissionDenied
        last = previous_month(month_start(today()))
        form = BatchForm(request.POST if request.method == "POST" else None, initial={"until": last})
        number = None
        if request.method == "POST" and form.is_valid():
            until = form.cleaned_data["until"]
            if "confirm" in request.POST:
                return self._export(request, until)
            number = waiting(month_end(until)).count()
        context = {
            **self.admin_site.each_context(request), "opts": self.model._meta, "title": gettext("Export the journal"),
            "form": form, "number": number,
        }  # fmt: skip
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/billing/journal_export.html", context, status=status)

    def _export(self, request: HttpRequest, until: Any) -> HttpResponse:
        address = reverse("admin:billing_journalexport_changelist")
        try:
            batch = export_journal(actor=actor_of(request), until=until)
        except AppError as error:
            self.message_user(request, error.message, messages.ERROR)
            return redirect(address)
        if batch is None:
            self.message_user(request, gettext("Everything up to then was exported before."), messages.WARNING)
        else:
            words = ngettext("%(n)d entry is in the batch %(batch)s.", "%(n)d entries are in the batch %(batch)s.",
                             batch.entries)  # fmt: skip
            self.message_user(request, words % {"n": batch.entries, "batch": batch}, messages.SUCCESS)
        return redirect(address)

    def file_view(self, request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = get_object_or_404(JournalExport, pk=pk)
        if kind not in FORMATS:
            return redirect("admin:billing_journalexport_changelist")
        rows = recorded(
            actor=actor_of(request), target=f"journal batch {batch.pk}", asked={"format": kind},
            rows=rows_of_export(batch),
        )  # fmt: skip
        name = f"journal_{batch.pk}_{batch.last_day:%Y-%m}.{kind}"
        return table_response(name, gettext("Journal"), columns_of_export(batch), rows)

    @admin.display(description=_("batch"), ordering="pk")
    def number(self, row: JournalExport) -> str:
        return str(row)

    @admin.display(description=_("files"))
    def files(self, row: JournalExport) -> str:
        links = [reverse("admin:billing_journalexport_file", args=[row.pk, kind]) for kind in FORMATS]
        return format_html('<a href="{}">CSV</a> · <a href="{}">XLSX</a>', *links)
