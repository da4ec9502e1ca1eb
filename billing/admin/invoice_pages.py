"""What finance does with one invoice beyond a button: draft it, take it back line by line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Organisation
from accounts.services.approvals import WaitsForSecond
from billing.invoicing.crediting import Left
from billing.models import Invoice
from billing.selectors.documents.credit_plans import offered, plan_credit
from billing.selectors.documents.credits import is_kept
from billing.selectors.documents.invoices import line_words
from billing.services.invoices.credit_notes import CREDITABLE, write_credit_note
from billing.services.invoices.drafts import draft_invoice
from core.context import actor_of
from core.errors import AppError
from core.money import places
from core.periods import month_start, previous_month, today
from core.words.wording import decimal_text, money_text


class DraftForm(forms.Form):
    organisation = forms.ModelChoiceField(Organisation.objects.order_by("name"), label=gettext_lazy("Organisation"))
    month = forms.CharField(label=gettext_lazy("Month"), widget=forms.TextInput(attrs={"type": "month"}))

    def clean_month(self) -> date:
        try:
            found = date.fromisoformat(f"{self.cleaned_data['month']}-01")
        except ValueError as error:
            raise forms.ValidationError(_("A month is wanted, such as 2026-10.")) from error
        if not 2000 <= found.year < 2200:  # noqa: PLR2004 - as the database has it
            raise forms.ValidationError(_("A month is wanted, such as 2026-10."))
        return found


class CreditForm(forms.Form):
    """One amount a line; empty lines stay as they are."""

    reason = forms.CharField(label=gettext_lazy("Reason; it stands on the credit note"), max_length=255)
    whole = forms.BooleanField(label=gettext_lazy("Everything that is left"), required=False)
    cancel = forms.BooleanField(
        label=gettext_lazy("Everything, and cancel the invoice, so that its jobs and fees can be billed anew"),
        required=False,
    )
    seen = forms.DecimalField(max_digits=18, widget=forms.HiddenInput)
    seen_notes = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(
        self, invoice: Invoice, lefts: Sequence[Left], words: dict[int, str], data: Any, typed: dict[str, Any]
    ):
        seen = {"seen": invoice.amount_credited, "seen_notes": invoice.credit_notes.count()}
        super().__init__(data, initial={**seen, **typed})
        decimals = places(invoice.currency)
        self.numbers = [left.number for left in lefts]
        for left in lefts:
            label = f"{left.number}. {words[left.number]} ({decimal_text(left.rest, decimals)})"
            self.fields[f"line_{left.number}"] = forms.DecimalField(
                label=label, required=False, max_digits=18, decimal_places=decimals,
                min_value=min(left.rest, Decimal(0)), max_value=max(left.rest, Decimal(0)),
            )  # fmt: skip

    @property
    def wanted(self) -> dict[int, Decimal | None] | None:
        """Of a valid form; None: everything that is left."""
        if self.cleaned_data["whole"] or self.cleaned_data["cancel"]:
            return None
        found = {number: self.cleaned_data.get(f"line_{number}") for number in self.numbers}
        return {number: amount for number, amount in found.items() if amount}

    @property
    def again(self) -> list[tuple[str, str]]:
        """Of a valid form, as it can be sent again."""
        return [
            (name, f"{value:f}" if isinstance(value, Decimal) else "on" if value is True else str(value))
            for name, value in self.cleaned_data.items()
            if value not in (None, False, "")
        ]


def draft_view(site: admin.ModelAdmin, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    need(request, "billing.change_invoice")
    last = previous_month(today())
    form = DraftForm(request.POST if request.method == "POST" else None, initial={"month": f"{last:%Y-%m}"})
    if form.is_bound and form.is_valid():
        try:
            made = draft_invoice(
                actor=actor_of(request), organisation=form.cleaned_data["organisation"],
                month=month_start(form.cleaned_data["month"]),
            )  # fmt: skip
        except AppError as error:
            field = str(error.details.get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
        else:
            if made is not None:
                return redirect(reverse("admin:billing_invoice_change", args=[made.pk]))
            site.message_user(request, _("There is nothing to bill in this month."), messages.WARNING)
    context |= {"title": _("Draft an invoice"), "form": form}
    return TemplateResponse(request, "admin/billing/invoice/draft.html", context, status=400 if form.errors else 200)


def credit_view(site: admin.ModelAdmin, request: HttpRequest, pk: int, context: dict[str, Any]) -> HttpResponse:
    """The first POST shows the note, the second (with ``confirm``) writes it."""
    need(request, "billing.credit_invoice")
    invoice = get_object_or_404(Invoice.objects.select_related("organisation"), pk=pk)
    lines = list(invoice.lines.order_by("line_number"))
    words = {line.line_number: line_words(line) for line in lines}
    kept = {line.line_number for line in lines if is_kept(line)}
    lefts = offered(invoice, lines)
    form = CreditForm(invoice, lefts, words, sent(request), typed(request))
    effects: list[str] = []
    if form.is_bound and form.is_valid():
        try:
            if "confirm" in request.POST:
                return _credit(site, request, invoice, form)
            taken = plan_credit(invoice, lines, form.wanted)
            net, tax = (sum((getattr(each, name) for each in taken), Decimal(0)) for name in ("net", "tax"))
            more = -sum((each.net for each in taken if each.number in kept), Decimal(0))
            effects = _of_credit(invoice, net, tax, cancel=form.cleaned_data["cancel"], kept=more)
        except AppError as error:
            form.add_error(None, error.message)
    return page(request, invoice, form, context, effects, {
        "title": _("Write a credit note"), "button": _("Write the credit note"),
        "possible": invoice.status in CREDITABLE and bool(lefts),
        "again": form.again if effects else [],
        "sums": {_("Total"): invoice.total, _("Paid so far"): invoice.amount_paid,
                 _("Credited"): invoice.amount_credited, _("Due"): invoice.amount_due},
    })  # fmt: skip


def _credit(site: admin.ModelAdmin, request: HttpRequest, invoice: Invoice, form: CreditForm) -> HttpResponse:
    data = form.cleaned_data
    try:
        note = write_credit_note(
            actor=actor_of(request), invoice=invoice, reason=data["reason"], lines=form.wanted, cancel=data["cancel"],
            seen=data["seen"], seen_notes=data["seen_notes"],
        )  # fmt: skip
    except WaitsForSecond as waits:
        site.message_user(request, waits.message, messages.INFO)
    else:
        words = _("Credit note %(number)s: %(sum)s was taken back.")
        facts = {"number": note.number, "sum": money_text(note.total, note.currency)}
        site.message_user(request, words % facts, messages.SUCCESS)
    return redirect(reverse("admin:billing_invoice_change", args=[invoice.pk]))


def _of_credit(invoice: Invoice, net: Decimal, tax: Decimal, *, cancel: bool, kept: Decimal) -> list[str]:
    total = net + tax
    given_up = max(invoice.amount_written_off - total, Decimal(0))
    back = max(invoice.amount_paid + invoice.amount_credited + given_up + total - invoice.total, Decimal(0))
    sums = {"sum": money_text(total, invoice.currency), "net": money_text(net, invoice.currency),
            "tax": money_text(tax, invoice.currency), "back": money_text(back, invoice.currency),
            "kept": money_text(abs(kept), invoice.currency), "who": invoice.organisation.name}  # fmt: skip
    found = [_("%(sum)s is taken back: %(net)s and %(tax)s of tax. This cannot be undone.") % sums]
    if back:
        found.append(_("%(back)s of it was paid; it stays in favour of %(who)s and pays its next invoice.") % sums)
    if kept > 0:
        found.append(_("%(kept)s more is kept as a credit of the next invoice.") % sums)
    elif kept < 0:
        found.append(_("%(kept)s less is kept as a credit of the next invoice.") % sums)
    if cancel:
        found.append(_("The invoice is canceled; its jobs and fees can be billed anew."))
    else:
        found.append(_("Its jobs and fees stay on it; they are not billed again."))
    return found


def page(
    request: HttpRequest, invoice: Invoice, form: forms.Form, context: dict[str, Any], effects: list[str],
    more: dict[str, Any],
) -> HttpResponse:  # fmt: skip
    sums = {label: money_text(amount, invoice.currency) for label, amount in more["sums"].items()}
    context = {**context, **more, "sums": sums, "invoice": invoice, "form": form, "effects": effects}
    return TemplateResponse(request, "admin/billing/invoice/act.html", context, status=400 if form.errors else 200)


def sent(request: HttpRequest) -> Any:
    """What a form is filled with; nothing at first, and when somebody wants to change what was typed."""
    return request.POST if request.method == "POST" and "edit" not in request.POST else None


def typed(request: HttpRequest) -> dict[str, Any]:
    return request.POST.dict() if "edit" in request.POST else {}


def need(request: HttpRequest, permission: str) -> None:
    if not (request.user.has_perm(permission) and request.user.has_perm("billing.view_invoice")):
        raise PermissionDenied
