"""For those who lead a project: what its members use, what that costs, and who pays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Sum, When, Window
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.projects import LedProject, led_projects
from audit.exporting import recorded
from billing.forms.usage import PERIODS, UsageForm
from billing.models import Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.jobs import usage
from billing.selectors.jobs.billable import OffLimits, candidates_of
from billing.selectors.jobs.unbilled import sum_of
from billing.selectors.jobs.usage import MemberRow, UsageFilter
from billing.selectors.pricing.prices import PriceBook
from billing.views.asked import check_names, refusal
from billing.views.day_chart import day_chart, recent
from billing.views.figures import month_figures
from billing.views.reach import find_project
from core.context import actor_of
from core.errors import BadInput
from core.exports import Column, Kind, Row, table_response
from core.periods import today
from usage.selectors.freshness import data_until

MOST_MEMBERS = 200
RECEIPTS = 10
DAYS = ("period", "start", "end")
MEMBER_COLUMNS = (
    Column("user", _("user")),
    Column("jobs", _("jobs"), Kind.INT),
    Column("core_hours", _("core-hours"), Kind.HOURS),
    Column("gpu_hours", _("GPU-hours"), Kind.HOURS),
    Column("gb_hours", _("GB-hours"), Kind.HOURS),
    Column("cost", _("cost"), Kind.MONEY),
    Column("billed", _("billed"), Kind.MONEY),
    Column("unbilled", _("not billed yet"), Kind.MONEY),
    Column("currency", _("currency")),
)


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Who leads one project is led to it."""
    projects = led_projects(actor_of(request).name)
    if len(projects) == 1:
        return redirect("billing:project", projects[0].pk)
    return render(request, "billing/projects.html", {"projects": projects})


@require_safe
@login_required
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    led = _find(request, pk)
    context: dict[str, Any] = {"project": led, "leads": True, "latest_import": data_until()}
    if not led.accounts:
        return render(request, "billing/project_empty.html", context)
    form, flt = _window(request, led)
    context |= {"form": form, "filter": flt, "periods": PERIODS, "period": form.chosen_period}
    if form.errors:
        return render(request, "billing/project.html", context, status=400)
    now, book, name = today(), PriceBook.load(), actor_of(request).name
    recently = recent(UsageFilter(None, accounts=led.accounts), now)
    candidates = candidates_of(name, None, None, project=led, off=OffLimits.load(book))
    pairs = usage.pairs_of(flt.jobs(), recently.jobs(), candidates)
    members = usage.by_member(flt, book, pairs, most=MOST_MEMBERS)
    days = usage.by_day(recently, book, pairs)
    form.show_days()
    context |= {
        "members": _shares(members),
        "totals": _together(members) if len(members) < MOST_MEMBERS else usage.totals(flt, book),
        "unbilled": sum_of(candidates, book, pairs),
        **_receipts(led),
        **month_figures(days, now),
        **day_chart(days, now),
    }
    return render(request, "billing/project.html", context)


@require_safe
@login_required
def download(request: HttpRequest, pk: int, kind: str) -> HttpResponseBase:
    """Every member of the window, as on the page."""
    led = _find(request, pk)
    try:
        check_names(request, DAYS)
    except BadInput as error:
        return refusal(error)
    form, flt = _window(request, led)
    if form.errors:
        return HttpResponse(form.errors_in_words(), content_type="text/plain; charset=utf-8", status=400)
    rows = _rows(flt) if led.accounts else iter(())
    asked = {"format": kind, "project": led.name, "start": flt.start, "end": flt.end}
    rows = recorded(actor=actor_of(request), target="project_members", asked=asked, rows=rows)
    return table_response(f"members-{led.pk}.{kind}", led.name, MEMBER_COLUMNS, rows)


def _find(request: HttpRequest, pk: int) -> LedProject:
    found = find_project(request, pk)
    assert found is not None  # noqa: S101 - None stands for an address without a project
    return found


def _window(request: HttpRequest, led: LedProject) -> tuple[UsageForm, UsageFilter]:
    """The days of the address; other filters belong to the list of jobs."""
    form = UsageForm({name: request.GET.get(name, "") for name in DAYS})
    return form, form.usage_filter("", project=led)


def _receipts(led: LedProject) -> dict[str, Any]:
    """The newest receipts; each row carries what waits for payment on all of them, so that one query tells both."""
    waits = Q(status=ReceiptStatus.PENDING)
    ours = waits & Q(currency=settings.PAYMENT_CURRENCY)
    lines = ReceiptItem.objects.filter(receipt=OuterRef("pk")).order_by().values("receipt").annotate(n=Count("pk"))
    rows = list(
        Receipt.objects.filter(project_id=led.pk)
        .annotate(
            jobs=Subquery(lines.values("n")),
            open_sum=Window(Sum(Case(When(ours, then=F("total"))))),
            open_count=Window(Count(Case(When(waits, then=1)))),
        )
        .order_by("-created_at", "-pk")[:RECEIPTS]
    )
    found = rows[0] if rows else None
    return {
        "receipts": rows,
        "open": {"total": found.open_sum if found else None, "count": found.open_count if found else 0},
    }


def _together(members: Sequence[MemberRow]) -> MemberRow:
    names = ("jobs", "cpu_core_hours", "gpu_hours", "mem_gb_hours", "cost", "billed")
    return MemberRow("", *(sum((getattr(each, name) for each in members), type_(0)) for name, type_ in zip(
        names, (int, *[Decimal] * 5), strict=True)))  # fmt: skip


def _shares(members: Sequence[MemberRow]) -> list[tuple[MemberRow, int]]:
    """Each member with the percent of the dearest one's cost: how long the bar beside the name is."""
    dearest = max((member.cost for member in members), default=0)
    return [(member, int(member.cost * 100 / dearest) if dearest else 0) for member in members]


def _rows(flt: UsageFilter) -> Iterator[Row]:
    for member in usage.by_member(flt, most=100_000):
        yield (
            member.username, member.jobs, member.cpu_core_hours, member.gpu_hours, member.mem_gb_hours, member.cost,
            member.billed, member.unbilled, settings.PAYMENT_CURRENCY,
        )  # fmt: skip
