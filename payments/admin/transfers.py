"""Reported bank transfers for finance: the slip, and the decision, which says first what it will change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.services.approvals import WaitsForSecond
from core.console.admin import ConfirmedAction, PageActions, ReadOnlyAdmin, console_day
from core.context import actor_of
from core.errors import AppError
from core.money import to_minor
from core.words.wording import money_text
from payments.admin import parts
from payments.arrivals import arrival_of
from payments.forms import AcceptForm
from payments.models import BankTransfer, TransferStatus
from payments.payables import payable_of
from payments.services.transfers import accept_transfer, may_decide, reject_transfer

_SHOWN_INLINE = ("image/png", "image/jpeg")
_SAVED = "application/pdf"


@admin.register(BankTransfer)
class BankTransferAdmin(PageActions, ReadOnlyAdmin):
    list_display = (
        "reference", "bank", "document", "payer", "money", "received_money", "day", "status", "slip_link",
        "submitted_on",
    )  # fmt: skip
    list_filter = ("status", ("transferred_on", admin.DateFieldListFilter))
    list_select_related = ("payment__receipt", "payment__invoice__organisation")
    list_per_page = 50
    search_fields = (
        "reference", "payment__receipt__document_number", "payment__invoice__invoice_number", "payment__user__username",
    )  # fmt: skip
    search_help_text = _("Bank's reference, number of the receipt or invoice, or user")
    actions = ("reject_action",)
    page_actions = ("reject_action",)
    change_form_template = "admin/payments/banktransfer/change_form.html"
    fieldsets = (
        (None, {"fields": ("status", "document", "payer", "payment", "money", "day", "bank", "reference",
                           "slip_view")}),
        (_("Decision"), {"fields": ("received_money", "review_note", "reviewed_by", "reviewed_at")}),
        (_("Where it comes from"), {"fields": ("submitted_by", "submitted_at", "statement_line", "slip_sha256")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[BankTransfer]:
        return super().get_queryset(request).defer("slip")

    @admin.display(description=_("receipt or invoice"), ordering="payment__receipt__document_number")
    def document(self, transfer: BankTransfer) -> str:
        return parts.document_link(transfer.payment)

    @admin.display(description=_("user"), ordering="payment__user")
    def payer(self, transfer: BankTransfer) -> str:
        return transfer.payment.username

    @admin.display(description=_("amount said"), ordering="claimed_cents")
    def money(self, transfer: BankTransfer) -> str:
        return format_html('<span class="num">{}</span>', money_text(transfer.claimed, transfer.payment.currency))

    @admin.display(description=_("received"), ordering="received_cents")
    def received_money(self, transfer: BankTransfer) -> str:
        if transfer.status != TransferStatus.ACCEPTED:
            return "–"
        return format_html('<span class="num">{}</span>', money_text(transfer.received, transfer.payment.currency))

    @admin.display(description=_("day of the transfer"), ordering="transferred_on")
    def day(self, transfer: BankTransfer) -> str:
        return console_day(transfer.transferred_on)

    @admin.display(description=_("submitted at"), ordering="submitted_at")
    def submitted_on(self, transfer: BankTransfer) -> str:
        return console_day(transfer.submitted_at)

    @admin.display(description=_("slip"))
    def slip_link(self, transfer: BankTransfer) -> str:
        if not transfer.slip_sha256:
            return "–"
        where = reverse("admin:payments_banktransfer_slip", args=[transfer.pk])
        return format_html(
            '<a href="{}">{}</a>', where, gettext("PDF") if transfer.slip_type == _SAVED else gettext("picture")
        )

    @admin.display(description=_("slip"))
    def slip_view(self, transfer: BankTransfer) -> str:
        if transfer.slip_type not in _SHOWN_INLINE:
            return self.slip_link(transfer)
        where = reverse("admin:payments_banktransfer_slip", args=[transfer.pk])
        return format_html(
            '<a href="{0}"><img class="slip" src="{0}" alt="{1}"></a>', where, gettext("Slip of the transfer")
        )

    @admin.display(description=_("bank statement line"))
    def statement_line(self, transfer: BankTransfer) -> str:
        line = getattr(transfer, "line", None)
        if line is None:
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:payments_bankline_change", args=[line.pk]), line)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.review_banktransfer")

    def may_decide(self, request: HttpRequest, transfer: BankTransfer) -> bool:
        """Open, and by somebody who has neither reported nor owes it."""
        waits = self.has_review_permission(request) and transfer.status == TransferStatus.SUBMITTED
        return waits and may_decide(request.user.get_username(), transfer)

    def has_page_action(self, obj: BankTransfer, name: str) -> bool:
        return obj.status == TransferStatus.SUBMITTED

    @admin.action(description=_("Reject …"), permissions=["review"])
    def reject_action(self, request: HttpRequest, queryset: QuerySet[BankTransfer]) -> HttpResponse | None:
        return REJECT.answer(self, request, queryset)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/slip/", wrap(self.slip_page), name="payments_banktransfer_slip"),
            path("<int:pk>/accept/", wrap(self.accept_page), name="payments_banktransfer_accept"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        transfer = self.get_object(request, object_id)
        may = transfer is not None and self.may_decide(request, transfer)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_decide": may})

    def slip_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The file as it came: pictures to be seen, everything else to be saved; it may do nothing in our name."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        transfer = get_object_or_404(BankTransfer, pk=pk)
        if not transfer.slip:
            raise Http404
        shown = transfer.slip_type in _SHOWN_INLINE
        kind = transfer.slip_type if shown or transfer.slip_type == _SAVED else "application/octet-stream"
        response = HttpResponse(bytes(transfer.slip), content_type=kind)
        if not shown:
            name = f"transfer-{transfer.pk}.pdf" if kind == _SAVED else f"transfer-{transfer.pk}.bin"
            response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response

    def accept_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for the amount, say what it changes, then do it."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        known = BankTransfer.objects.select_related("payment__receipt", "payment__invoice__organisation").defer("slip")
        transfer = get_object_or_404(known, pk=pk)
        where = reverse("admin:payments_banktransfer_change", args=[pk])
        if not self.may_decide(request, transfer):
            words = gettext("This transfer is decided already, or is for somebody else to decide.")
            self.message_user(request, words, messages.WARNING)
            return redirect(where)
        form = AcceptForm(transfer, request.POST if request.method == "POST" else None)
        minor = transfer.claimed_cents
        if form.is_valid():
            minor = to_minor(form.cleaned_data["amount"], transfer.payment.currency)
            if "confirm" in request.POST and self._accepted(request, transfer, form, minor):
                return redirect(where)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Accept a bank transfer"),
            "transfer": transfer,
            "form": form,
            "checked": form.is_bound and form.is_valid(),
            "effect": arrival_of(transfer, minor).words,
            "payable": payable_of(transfer.payment),
        }
        status = 400 if form.is_bound and not form.is_valid() else 200
        return TemplateResponse(request, "admin/payments/banktransfer/accept.html", context, status=status)

    def _accepted(self, request: HttpRequest, transfer: BankTransfer, form: AcceptForm, minor: int) -> bool:
        try:
            accept_transfer(
                actor=actor_of(request), transfer=transfer, received_minor=minor, note=form.cleaned_data["note"]
            )
        except WaitsForSecond as waits:
            self.message_user(request, waits.message, messages.INFO)
            return True
        except AppError as error:
            form.add_error(None, error.message)
            return False
        self.message_user(request, gettext("Transfer %(name)s accepted.") % {"name": transfer}, messages.SUCCESS)
        return True


REJECT = ConfirmedAction(
    name="reject_action",
    title=_("Reject bank transfers"),
    field_label=_("Why; the payer reads it"),
    status=TransferStatus.SUBMITTED,
    headers=(_("transfer"), _("receipt or invoice"), _("user"), _("day of the transfer")),
    row=lambda transfer: (
        str(transfer), str(transfer.payment.document), transfer.payment.username, console_day(transfer.transferred_on)
    ),
    money=lambda transfer: (transfer.claimed, transfer.payment.currency),
    button=lambda n: ngettext("Reject %(n)d transfer", "Reject %(n)d transfers", n) % {"n": n},
    done=lambda n: ngettext("%(n)d transfer rejected.", "%(n)d transfers rejected.", n) % {"n": n},
    run=lambda actor, transfer, text: reject_transfer(actor=actor, transfer=transfer, note=text),
)  # fmt: skip
