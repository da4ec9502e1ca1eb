"""Bank statement lines for finance: what each may pay, and the decision. Nothing is matched by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.services.approvals import WaitsForSecond
from billing.models import Invoice, Receipt
from core.console.admin import LONGEST_TEXT, ConfirmedAction, PageActions, ReadOnlyAdmin, console_day
from core.context import actor_of
from core.errors import AppError
from core.numerals import key_of
from core.words.wording import money_text
from payments.admin import statement_import
from payments.arrivals import arrival
from payments.models import BankLine, BankTransfer, LineStatus, PaymentStatus, TransferStatus
from payments.payables import Payable, payable, payable_of
from payments.services.lines import match_line, reopen_line, set_aside_line
from payments.services.transfers import PROVIDER
from payments.statements.suggestions import suggestions_for

_LONGEST_NUMBER = 40


class LineList(ChangeList):
    """A page of lines with the best suggestion of each open one, read for all of them at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        lines = list(self.result_list)
        found = suggestions_for([line for line in lines if line.status == LineStatus.OPEN])
        for line in lines:
            line.best = next(iter(found.get(line.pk, ())), None)
        self.result_list = lines


@admin.register(BankLine)
class BankLineAdmin(PageActions, ReadOnlyAdmin):
    list_display = ("day", "bank", "description", "reference", "money", "state", "best")
    list_filter = ("status", "bank", ("posted_on", admin.DateFieldListFilter))
    list_per_page = 50
    search_fields = ("description", "reference", "=line_key", "transfer__payment__receipt__document_number",
                     "transfer__payment__invoice__invoice_number")  # fmt: skip
    search_help_text = _("A piece of the description, the reference, or the number of the receipt or invoice")
    actions = ("set_aside_action", "reopen_action")
    page_actions = ("set_aside_action", "reopen_action")
    change_list_template = "admin/payments/bankline/change_list.html"
    change_form_template = "admin/payments/bankline/change_form.html"
    fieldsets = (
        (None, {"fields": ("state", "money", "day", "value_on", "bank", "description", "reference")}),
        (_("Decision"), {"fields": ("transfer_link", "note", "decided_by", "decided_at")}),
        (_("Where it comes from"), {"fields": ("imported_by", "imported_at", "file_sha256", "line_key")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LineList

    @admin.display(description=_("posted"), ordering="posted_on")
    def day(self, line: BankLine) -> str:
        return console_day(line.posted_on)

    @admin.display(description=_("amount"), ordering="amount_cents")
    def money(self, line: BankLine) -> str:
        return format_html('<span class="num">{}</span>', money_text(line.amount, line.currency))

    @admin.display(description=_("best suggestion"))
    def best(self, line: BankLine) -> str:
        found = getattr(line, "best", None)
        if found is None:
            return "–"
        return format_html(
            '{} · {}<br><span class="help">{}</span>', found.candidate.number, found.candidate.username, found.reason
        )

    @admin.display(description=_("transfer"))
    def transfer_link(self, line: BankLine) -> str:
        if line.transfer is None:
            return "–"
        where = reverse("admin:payments_banktransfer_change", args=[line.transfer_id])
        return format_html('<a href="{}">{}</a>', where, line.transfer)

    def has_match_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.match_bankline")

    def has_page_action(self, obj: BankLine, name: str) -> bool:
        return obj.status == (LineStatus.OPEN if name == "set_aside_action" else LineStatus.IGNORED)

    @admin.action(description=_("Set aside …"), permissions=["match"])
    def set_aside_action(self, request: HttpRequest, queryset: QuerySet[BankLine]) -> HttpResponse | None:
        return SET_ASIDE.answer(self, request, queryset)

    @admin.action(description=_("Open again …"), permissions=["match"])
    def reopen_action(self, request: HttpRequest, queryset: QuerySet[BankLine]) -> HttpResponse | None:
        return REOPEN.answer(self, request, queryset)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_page), name="payments_bankline_import"),
            path("<int:pk>/match/", wrap(self.match_page), name="payments_bankline_match"),
            *super().get_urls(),
        ]

    def import_page(self, request: HttpRequest) -> HttpResponse:
        if not self.has_match_permission(request):
            raise PermissionDenied
        return statement_import.view(self, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(
            request, {**(extra_context or {}), "may_match": self.has_match_permission(request)}
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        line = self.get_object(request, object_id)
        is_open = line is not None and line.status == LineStatus.OPEN
        found = suggestions_for([line])[line.pk] if line is not None and is_open else []
        context = {
            **(extra_context or {}),
            "is_open": is_open,
            "may_match": is_open and self.has_match_permission(request),
            "suggestions": found,
            "any_paid": any(each.candidate.paid for each in found),
            "longest_number": _LONGEST_NUMBER,
        }
        return super().change_view(request, object_id, form_url, context)

    def match_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the match will change; a POST makes it."""
        if not self.has_match_permission(request):
            raise PermissionDenied
        line = get_object_or_404(BankLine, pk=pk)
        where = reverse("admin:payments_bankline_change", args=[pk])
        transfer, target = _target(request)
        if target is None or (hindrance := _hindrance(line, transfer, target)):
            words = gettext("There is no receipt or invoice with this number.") if target is None else hindrance
            self.message_user(request, words, messages.WARNING)
            return redirect(where)
        note, trouble = request.POST.get("note", "").strip(), ""
        if request.method == "POST":
            try:
                trouble = _match(request, line, transfer, target, note)
            except WaitsForSecond as waits:
                self.message_user(request, waits.message, messages.INFO)
                return redirect(where)
            if not trouble:
                words = gettext("Matched with %(document)s.") % {"document": target.name}
                self.message_user(request, words, messages.SUCCESS)
                return redirect("admin:payments_bankline_changelist")
        context = {
            **self.admin_site.each_context(request), "opts": self.model._meta, "title": gettext("Match a line"),
            "line": line, "transfer": transfer, "payable": target, "note": note, "trouble": trouble,
            "effect": _effect(line, transfer, target), "longest": LONGEST_TEXT,
        }  # fmt: skip
        status = 400 if trouble else 200
        return TemplateResponse(request, "admin/payments/bankline/match.html", context, status=status)


def _target(request: HttpRequest) -> tuple[BankTransfer | None, Payable | None]:
    """The transfer that was chosen, and the receipt or invoice that it or the line would pay."""
    asked = request.POST if request.method == "POST" else request.GET
    known = BankTransfer.objects.select_related("payment__receipt", "payment__invoice__organisation").defer("slip")
    if (key := key_of(asked.get("transfer", ""))) is not None:
        transfer = known.filter(pk=key).first()
        return transfer, payable_of(transfer.payment) if transfer else None
    if (found := _chosen(asked)) is not None:
        return None, payable(found)
    number = asked.get("number", "").strip()
    document = _numbered(number) if number else None
    if document is None:
        return None, None
    target = payable(document)
    reported = known.filter(payment__in=target.payments(), status=TransferStatus.SUBMITTED).first()
    return reported, target


def _chosen(asked: QueryDict) -> Receipt | Invoice | None:
    """By its key, from a suggestion."""
    if (key := key_of(asked.get("receipt", ""))) is not None:
        return Receipt.objects.filter(pk=key).first()
    if (key := key_of(asked.get("invoice", ""))) is not None:
        return Invoice.objects.select_related("organisation").filter(pk=key).first()
    return None


def _numbered(number: str) -> Receipt | Invoice | None:
    receipt = Receipt.objects.filter(document_number__iexact=number).first()
    return receipt or Invoice.objects.select_related("organisation").filter(invoice_number__iexact=number).first()


def _hindrance(line: BankLine, transfer: BankTransfer | None, target: Payable) -> str:
    """Why there is nothing to ask; empty when there is."""
    if line.status != LineStatus.OPEN:
        return gettext("This line is decided already.")
    if transfer is None and not target.waits:
        words = gettext("%(document)s is %(status)s; there is nothing to pay.")
        return words % {"document": target.name, "status": target.standing}
    return ""


def _match(request: HttpRequest, line: BankLine, transfer: BankTransfer | None, target: Payable, note: str) -> str:
    """Why it cannot be; empty when it is done."""
    if len(note) > LONGEST_TEXT:
        return gettext("Please fill in the field below, %(longest)s characters at most.") % {"longest": LONGEST_TEXT}
    try:
        match_line(
            actor=actor_of(request), line=line, note=note, **({"transfer": transfer} if transfer else target.fields)
        )
    except WaitsForSecond:
        raise
    except AppError as error:
        return error.message
    return ""


def _effect(line: BankLine, transfer: BankTransfer | None, target: Payable) -> str:
    if transfer is not None and transfer.status == TransferStatus.ACCEPTED:
        return gettext("The transfer was accepted before; the two are tied together, no money moves.")
    payment = transfer.payment if transfer else None
    if payment is None:
        payment = target.payments().filter(provider=PROVIDER, status=PaymentStatus.NEEDS_REVIEW).first()
    return arrival(target, payment, line.amount_cents).words


SET_ASIDE = ConfirmedAction(
    name="set_aside_action",
    title=_("Set lines aside"),
    field_label=_("What this money is"),
    status=LineStatus.OPEN,
    headers=(_("posted"), _("bank"), _("description"), _("bank's reference")),
    row=lambda line: (console_day(line.posted_on), line.bank, line.description, line.reference),
    money=lambda line: (line.amount, line.currency),
    button=lambda n: ngettext("Set %(n)d line aside", "Set %(n)d lines aside", n) % {"n": n},
    done=lambda n: ngettext("%(n)d line set aside.", "%(n)d lines set aside.", n) % {"n": n},
    run=lambda actor, line, text: set_aside_line(actor=actor, line=line, note=text),
)
REOPEN = replace(
    SET_ASIDE,
    name="reopen_action",
    title=_("Open lines again"),
    field_label=_("Why"),
    status=LineStatus.IGNORED,
    button=lambda n: ngettext("Open %(n)d line again", "Open %(n)d lines again", n) % {"n": n},
    done=lambda n: ngettext("%(n)d line opened again.", "%(n)d lines opened again.", n) % {"n": n},
    run=lambda actor, line, text: reopen_line(actor=actor, line=line, note=text),
)
