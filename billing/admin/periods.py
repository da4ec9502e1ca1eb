"""Accounting periods: closed in order, opened again from the last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from billing.models import AccountingPeriod, LedgerAccount, PeriodStatus
from billing.selectors.jobs.months import find as usage_month
from billing.selectors.journal import trial_balance
from billing.services.ledger.journal import catch_up
from billing.services.ledger.periods import check_close, close_period, first_open, open_period
from core.console.admin import ReadOnlyAdmin
from core.context import actor_of
from core.errors import AppError, BadInput
from core.periods import month_end, month_start, next_month, today
from core.words.wording import month_text

SHOWN = 60


@dataclass(frozen=True, slots=True)
class PeriodRow:
    month: date
    row: AccountingPeriod | None
    usage_closed: bool
    may_close: bool
    may_open: bool


@admin.register(AccountingPeriod)
class AccountingPeriodAdmin(ReadOnlyAdmin):
    """The list shows every month from the first entry on, with the button that its state offers."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("act/", wrap(self.act_view), name="billing_period_act"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request), "opts": self.model._meta, "title": gettext("Accounting periods"),
            "rows": self._rows(self._may(request)), "may": self._may(request),
        }  # fmt: skip
        return TemplateResponse(request, "admin/billing/periods.html", context)

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.close_accountingperiod")

    def _rows(self, may: bool) -> list[PeriodRow]:
        known = {row.month: row for row in AccountingPeriod.objects.all()}
        opening = first_open()
        months = set(known)
        month = min([*known, *([opening] if opening else [])], default=None)
        while month and month <= month_start(today()):
            months.add(month)
            month = next_month(month)
        closed = [month for month, row in known.items() if row.status == PeriodStatus.CLOSED]
        last = max(closed, default=None)
        shown = sorted(months, reverse=True)[:SHOWN]
        return [
            PeriodRow(
                month, known.get(month), usage_month(month) is not None if month == opening else month in closed,
                may and month == opening and month < month_start(today()), may and month == last,
            )
            for month in shown
        ]  # fmt: skip

    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Close or open a month: first what that means, then (with ``confirm``) it is done."""
        if not (self._may(request) and self.has_view_permission(request)):
            raise PermissionDenied
        address = reverse("admin:billing_accountingperiod_changelist")
        if request.method != "POST":
            return redirect(address)
        try:
            month = date.fromisoformat(f"{request.POST.get('month', '')}-01")
        except ValueError:
            return redirect(address)
        opens = request.POST.get("act") == "open"
        try:
            if "confirm" in request.POST:
                self._act(request, month, opens=opens)
                return redirect(address)
            return self._ask(request, month, opens=opens)
        except AppError as error:
            self.message_user(request, error.message, messages.ERROR)
        return redirect(address)

    def _ask(self, request: HttpRequest, month: date, *, opens: bool) -> HttpResponse:
        if not opens:
            check_close(month)
            catch_up(actor=actor_of(request))
        elif not AccountingPeriod.objects.filter(month=month).exists():
            raise BadInput(gettext("%(month)s was never closed.") % {"month": month_text(month)})
        accounts = {row.role: row for row in LedgerAccount.objects.all()}
        words = gettext("Open %(month)s again") if opens else gettext("Close the books of %(month)s")
        context = {
            **self.admin_site.each_context(request), "opts": self.model._meta, "month": month, "opens": opens,
            "title": words % {"month": month_text(month)}, "note": request.POST.get("note", ""),
            "balances": [(accounts.get(row.role, row.role), row) for row in trial_balance(month_end(month))],
        }  # fmt: skip
        return TemplateResponse(request, "admin/billing/period_act.html", context)

    def _act(self, request: HttpRequest, month: date, *, opens: bool) -> None:
        note = request.POST.get("note", "")
        if opens:
            open_period(actor=actor_of(request), month=month, reason=note)
            words = gettext("The books of %(month)s are open again.")
        else:
            close_period(actor=actor_of(request), month=month, note=note)
            words = gettext("The books of %(month)s are closed.")
        self.message_user(request, words % {"month": month_text(month)}, messages.SUCCESS)
