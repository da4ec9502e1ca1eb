"""Bad debts, and the actions of the invoices that make them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.models import Invoice, InvoiceStatus, WriteOff
from billing.services.invoices.write_offs import take_back_write_off, write_off_invoice
from core.console.admin import ConfirmedAction, ConsoleAdmin, ReadOnlyAdmin, console_day
from core.words.wording import day_text, money_text


def _cells(row: Invoice) -> tuple[str, ...]:
    return str(row), row.organisation.name, day_text(row.due_date), money_text(row.amount_written_off, row.currency)


WRITE_OFF = ConfirmedAction(
    name="write_off_action",
    title=_("Write invoices off as bad debt"),
    field_label=_("Reason"),
    status=InvoiceStatus.FINALIZED,
    headers=(_("invoice"), _("organisation"), _("due on"), _("written off")),
    row=_cells,
    money=lambda row: (row.amount_due, row.currency),
    advice=_(
        "What is due of them is not expected any more: it leaves the receivables and becomes an expense, and nobody is"
        " reminded of it. When it is paid or credited after all, that is taken back by itself."
    ),
    button=lambda n: ngettext("Write %(n)d invoice off", "Write %(n)d invoices off", n) % {"n": n},
    done=lambda n: ngettext("%(n)d invoice written off.", "%(n)d invoices written off.", n) % {"n": n},
    run=lambda actor, row, text: write_off_invoice(
        actor=actor, invoice=row, reason=text, expected=row.amount_due
    ) is not None,
)  # fmt: skip
TAKE_BACK = ConfirmedAction(
    name="take_back_write_off_action",
    title=_("Take bad debts back"),
    field_label=_("Reason"),
    status=InvoiceStatus.FINALIZED,
    headers=WRITE_OFF.headers,
    row=_cells,
    money=lambda row: (row.amount_written_off, row.currency),
    advice=_("What was written off is due again."),
    button=lambda n: ngettext("Take %(n)d bad debt back", "Take %(n)d bad debts back", n) % {"n": n},
    done=lambda n: ngettext("%(n)d bad debt taken back.", "%(n)d bad debts taken back.", n) % {"n": n},
    run=lambda actor, row, text: take_back_write_off(actor=actor, invoice=row, reason=text) is not None,
)


class WriteOffActions(ConsoleAdmin):
    """The two acts on an invoice, for the console's invoices."""

    of_write_offs = ("write_off_action", "take_back_write_off_action")

    @admin.display(description=_("written off"))
    def written_off(self, row: Invoice) -> str:
        return money_text(row.amount_written_off, row.currency)

    def has_write_off_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.write_off_invoice")

    def may_write_off(self, row: Invoice, name: str) -> bool:
        amount = row.amount_due if name == "write_off_action" else row.amount_written_off
        return row.status == InvoiceStatus.FINALIZED and amount > 0

    @admin.action(description=_("Write off …"), permissions=["write_off"])
    def write_off_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return WRITE_OFF.answer(self, request, queryset)

    @admin.action(description=_("Take the bad debt back …"), permissions=["write_off"])
    def take_back_write_off_action(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> HttpResponse | None:
        return TAKE_BACK.answer(self, request, queryset)


@admin.register(WriteOff)
class WriteOffAdmin(ReadOnlyAdmin):
    list_display = ("day", "invoice", "organisation", "sum", "reason", "created_by")
    list_filter = ("currency", ("written_on", admin.DateFieldListFilter))
    list_select_related = ("invoice__organisation",)
    search_fields = ("invoice__invoice_number", "invoice__organisation__name", "reason")
    list_per_page = 50
    fields = ("invoice", "organisation", "sum", "day", "reason", "created_by", "created_at")

    @admin.display(description=_("day"), ordering="written_on")
    def day(self, row: WriteOff) -> str:
        return console_day(row.written_on)

    @admin.display(description=_("organisation"))
    def organisation(self, row: WriteOff) -> str:
        return row.invoice.organisation.name

    @admin.display(description=_("amount"), ordering="amount")
    def sum(self, row: WriteOff) -> Any:
        return format_html('<span class="num">{}</span>', money_text(row.amount, row.currency))
