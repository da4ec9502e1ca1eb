"""Month by month: the proof, the close, and what was adjusted afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.models import ClosedMonth, MonthAdjustment
from billing.selectors.jobs.months import find, receipts_of
from billing.selectors.jobs.proof import PARTS, Amount, Proof, months_with_usage, prove
from billing.services.months import bill_late_usage, check_close, close_month, left_open
from core.console.admin import ReadOnlyAdmin, console_day
from core.context import actor_of
from core.errors import AppError
from core.periods import month_start, today
from core.words.wording import month_text

PART_LABELS: dict[str, str | Promise] = {
    "billed": _("Already billed"),
    "free": _("Free of charge"),
    "unbilled": _("Not billed"),
    "quarantined": _("In quarantine"),
}
REASON_LABELS: dict[str, str | Promise] = {
    "pending": _("on receipts that wait for payment"),
    "paid": _("on paid receipts"),
    "document": _("on other documents"),
    "free_state": _("ended by a fault of the cluster"),
    "zero_time": _("used nothing"),
    "runaway": _("held back: implausibly long"),
    "by_invoice": _("organisations billed by invoice"),
    "no_user": _("users without an account here"),
    "no_rate": _("tiers without a rate"),
    "no_cpu_time": _("CPU time that the price counts is not known"),
    "next_receipt": _("ready for the next receipts"),
    "closed_month": _("the month is closed: only by an adjustment"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the proof; ``level`` 0 a part, 1 a reason under it."""

    label: str
    amount: Amount
    level: int = 0


@dataclass(frozen=True, slots=True)
class MonthRow:
    month: date
    closed: ClosedMonth | None
    is_over: bool
    url: str


def _lines(proof: Proof) -> list[Line]:
    from usage.reasons import in_words

    lines = []
    for part in PARTS:
        lines.append(Line(str(PART_LABELS[part]), proof.parts[part]))
        for reason in proof.reasons[part]:
            label = in_words(reason.code) if part == "quarantined" else REASON_LABELS.get(reason.code, reason.code)
            lines.append(Line(str(label), reason.amount, 1))
    return lines


@admin.register(ClosedMonth)
class ClosedMonthAdmin(ReadOnlyAdmin):
    """The list shows every month with usage, not only the closed ones."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.month_view)
        return [path("<int:year>-<int:number>/", view, name="billing_month"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        closed = {row.month: row for row in ClosedMonth.objects.all()}
        months = sorted({*months_with_usage(), *closed}, reverse=True)
        rows = [MonthRow(m, closed.get(m), m < month_start(today()), month_url(m)) for m in months]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Months"),
            "rows": rows,
            "adjustments": MonthAdjustment.objects.select_related("closed_month", "receipt")[:20],
        }
        return TemplateResponse(request, "admin/billing/months.html", context)

    def month_view(self, request: HttpRequest, year: int, number: int) -> HttpResponse:
        """The proof of one month, with the buttons that its state offers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not (1990 <= year <= 2199 and 1 <= number <= 12):  # noqa: PLR2004 - outside a day may have no instant in UTC
            raise Http404
        month = date(year, number, 1)
        if request.method == "POST":
            return self._act(request, month) or redirect(month_url(month))
        closed = find(month)
        proof = prove(month, closed)
        adjustments = list(closed.adjustments.select_related("receipt")) if closed else []
        left = {reason.code: reason.amount for reason in proof.reasons["unbilled"]}
        late = left.get("closed_month")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Proof of %(month)s") % {"month": month_text(month)},
            "month": month,
            "proof": proof,
            "lines": _lines(proof),
            "closed": closed,
            "since": _since(closed, proof, adjustments) if closed else None,
            "late": late,
            "left_open": bool("next_receipt" in left or proof.parts["quarantined"].jobs or proof.unknown_rows),
            "may_close": self._may(request, "add") and not closed and month < month_start(today()),
            "may_adjust": bool(late) and self._may(request, "adjust"),
            "adjustments": adjustments,
        }
        return TemplateResponse(request, "admin/billing/month.html", context)

    def _may(self, request: HttpRequest, what: str) -> bool:
        return request.user.has_perm(f"billing.{what}_closedmonth")

    def _act(self, request: HttpRequest, month: date) -> HttpResponse | None:
        late = "bill_late" in request.POST
        if not self._may(request, "adjust" if late else "add"):
            raise PermissionDenied
        note = request.POST.get("note", "")
        try:
            if late:
                self._bill_late(request, month, note)
            elif "confirm" in request.POST:
                self._close(request, month, note)
            else:
                return self._ask(request, month, note)
        except AppError as error:
            self.message_user(request, error.message, messages.ERROR)
        return None

    def _ask(self, request: HttpRequest, month: date, note: str) -> HttpResponse:
        """What closing will change, before it does."""
        if find(month):
            return redirect(month_url(month))
        accept_open = "accept_open" in request.POST
        proof = check_close(month=month, note=note, accept_open=accept_open)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Close %(month)s") % {"month": month_text(month)},
            "month": month,
            "month_url": month_url(month),
            "proof": proof,
            "documents": receipts_of(month),
            "left_open": left_open(proof),
            "note": note.strip(),
            "accept_open": accept_open,
        }
        return TemplateResponse(request, "admin/billing/month_close.html", context)

    def _close(self, request: HttpRequest, month: date, note: str) -> None:
        closed = close_month(actor=actor_of(request), month=month, note=note, accept_open="accept_open" in request.POST)
        self.message_user(request, gettext("%(month)s is closed.") % {"month": closed}, messages.SUCCESS)

    def _bill_late(self, request: HttpRequest, month: date, reason: str) -> None:
        run = bill_late_usage(actor=actor_of(request), month=month, reason=reason)
        count = len(run.receipts)
        words = ngettext("%(n)d receipt created for late usage.", "%(n)d receipts created for late usage.", count)
        self.message_user(request, words % {"n": count}, messages.SUCCESS if count else messages.WARNING)
        for username, trouble in run.failed.items():
            self.message_user(
                request, gettext("User %(name)s: %(why)s") % {"name": username, "why": trouble}, messages.ERROR
            )


def month_url(month: date) -> str:
    return reverse("admin:billing_month", args=[month.year, month.month])


def _since(closed: ClosedMonth, proof: Proof, adjustments: list[MonthAdjustment]) -> Amount:
    """What has arrived since the month was closed: what its usage has gained but for the corrections."""
    parts = [closed.figures.get("usage", {}), *(each.usage for each in adjustments)]
    names = ("jobs", "cpu_core_seconds", "gpu_seconds", "mem_mib_seconds")
    return Amount(*(getattr(proof.usage, name) - sum(int(part.get(name, 0)) for part in parts) for name in names))


@admin.register(MonthAdjustment)
class MonthAdjustmentAdmin(ReadOnlyAdmin):
    list_display = (
        "closed_month",
        "kind",
        "dated_on",
        "receipt",
        "change",
        "jobs",
        "amount",
        "currency",
        "reason",
        "made_by",
    )
    list_filter = ("kind", "closed_month")
    list_select_related = ("closed_month", "receipt", "change")

    @admin.display(description=_("dated"), ordering="dated")
    def dated_on(self, row: MonthAdjustment) -> str:
        return console_day(row.dated)
