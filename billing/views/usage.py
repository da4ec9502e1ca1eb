"""Usage, my own or that of a project I lead: which jobs cost what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.projects import LedProject
from audit.exporting import recorded
from billing.exports.usage import MEMBER_USAGE_COLUMNS, USAGE_COLUMNS, member_usage_rows, usage_rows
from billing.forms.usage import BILLED, PERIODS, UsageForm
from billing.models import Receipt
from billing.selectors.documents.readable import readable
from billing.selectors.jobs import job_pages, usage
from billing.selectors.jobs.choices import choices
from billing.selectors.jobs.standing import quarantined_standing
from billing.selectors.jobs.usage import UsageFilter
from billing.selectors.pricing.prices import PriceBook
from billing.views.asked import check_names, one_of, refusal
from billing.views.reach import find_project
from core.api.paging import BadCursor
from core.context import actor_of
from core.errors import BadInput
from core.exports import table_response
from usage.selectors.freshness import data_until

VIEWS = {"detail": _("Every job"), "aggregate": _("By account"), "billed": _("Billed jobs")}
PAGE_SIZE = 50
CHIPS = ("user", "cluster", "account", "partition", "state", "billed", "q")


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force: removing it leads to ``without``."""

    label: str | Promise
    value: str | Promise
    without: str


@require_safe
@login_required
def index(request: HttpRequest, project: int | None = None) -> HttpResponse:
    username, led = actor_of(request).name, find_project(request, project)
    try:
        view = one_of(request, "view", VIEWS, "detail")
    except BadInput as error:
        raise BadRequest(error.message) from error
    form, flt = _filter(request, view, led)
    context: dict[str, Any] = {
        "project": led,
        "files": {kind: _file(kind, led) for kind in ("csv", "xlsx")},
        "form": form,
        "filter": flt,
        "view": view,
        "views": VIEWS,
        "periods": PERIODS,
        "period": form.chosen_period,
        "active": _active(request, form, led),
        "latest_import": data_until(),
    }
    if led:
        context["leads"] = True
    if led and not led.accounts:
        return render(request, "billing/project_empty.html", context)
    found = choices(flt)
    form.offer(found)
    context["several"] = {name for name in ("clusters", "partitions") if len(getattr(found, name)) > 1}
    if form.errors:  # no figures: they would be those of another question
        return render(request, "billing/usage.html", context, status=400)
    form.show_days()
    book = PriceBook.load()
    context["totals"] = usage.totals(flt, book)
    if view == "aggregate":
        context["accounts"] = usage.by_account(flt, book)
    else:
        context |= _page(flt, request.GET.get("after", ""), book)
        context["knows_use"] = any(row.cpu_use for row in context["page"].rows)
        context["open"] = _may_open(username, [row.receipt_id for row in context["page"].rows])
        if flt.query and not led and not context["page"].rows:
            context["refused"] = quarantined_standing(flt.query, username)
    return render(request, "billing/usage.html", context)


def _page(flt: UsageFilter, after: str, book: PriceBook) -> dict[str, Any]:
    """A cursor that cannot be read, such as that of an old bookmark, shows the newest jobs."""
    try:
        page = job_pages.page(flt, after=after, size=PAGE_SIZE, book=book)
    except BadCursor:
        after, page = "", job_pages.page(flt, size=PAGE_SIZE, book=book)
    return {"after": after, "page": page}


def _may_open(username: str, receipts: list[int | None]) -> set[int]:
    """Those of the receipts that the reader may open: a job of mine may stand on a receipt of its project."""
    known = {pk for pk in receipts if pk is not None}
    return (
        set(readable(Receipt.objects.filter(pk__in=known), username).values_list("pk", flat=True)) if known else set()
    )


def _file(kind: str, led: LedProject | None) -> str:
    return reverse(f"billing:project_usage_{kind}", args=[led.pk]) if led else reverse(f"billing:usage_{kind}")


@require_safe
@login_required
def download(request: HttpRequest, kind: str, project: int | None = None) -> HttpResponseBase:
    """The same filter as the page, every row, oldest first; a filter that cannot be read is refused in words."""
    try:
        check_names(request, ("view", *(name for name in UsageForm.base_fields if project or name != "user")))
        view = one_of(request, "view", VIEWS)
    except BadInput as error:
        return refusal(error)
    led = find_project(request, project)
    form, flt = _filter(request, view, led)
    if form.errors:
        return HttpResponse(form.errors_in_words(), content_type="text/plain; charset=utf-8", status=400)
    if led is None:
        return table_response(f"usage.{kind}", gettext("Usage"), USAGE_COLUMNS, usage_rows(flt))
    asked = {"format": kind, "project": led.name, **request.GET.dict()}
    rows = recorded(actor=actor_of(request), target="project_usage", asked=asked, rows=member_usage_rows(flt))
    return table_response(f"usage-{led.pk}.{kind}", led.name, MEMBER_USAGE_COLUMNS, rows)


def _filter(request: HttpRequest, view: str, led: LedProject | None) -> tuple[UsageForm, UsageFilter]:
    form = UsageForm(request.GET)
    billed = "yes" if view == "billed" else ""
    return form, form.usage_filter(actor_of(request).name, billed=billed, project=led)


def _active(request: HttpRequest, form: UsageForm, led: LedProject | None) -> list[Chip]:
    """Filters in force beside the period, each with the address of the page without it."""
    chips = []
    for name in CHIPS if led else CHIPS[1:]:
        if value := form.cleaned_data.get(name):
            rest = request.GET.copy()
            for dropped in (name, "after"):
                rest.pop(dropped, None)
            text = BILLED[value] if name == "billed" else value
            chips.append(Chip(form.fields[name].label or name, text, f"?{rest.urlencode()}"))
    return chips
