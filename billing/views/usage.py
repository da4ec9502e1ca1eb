"""My usage: which jobs cost what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from billing.exports.usage import USAGE_COLUMNS, usage_rows
from billing.forms import BILLED, PERIODS, UsageForm
from billing.selectors import job_pages, usage
from billing.selectors.prices import PriceBook
from billing.selectors.standing import quarantined_standing
from billing.selectors.usage import UsageFilter
from billing.views.asked import check_names, one_of, refusal
from core.context import actor_of
from core.errors import BadInput
from core.exports import table_response
from core.paging import BadCursor

VIEWS = {"detail": _("Every job"), "aggregate": _("By account"), "billed": _("Billed jobs")}
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force: removing it leads to ``without``."""

    label: str | Promise
    value: str | Promise
    without: str


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    username = actor_of(request).name
    try:
        view = one_of(request, "view", VIEWS, "detail")
    except BadInput as error:
        raise BadRequest(error.message) from error
    form, flt = _filter(request, view)
    form.offer(usage.choices(username))
    context: dict[str, Any] = {
        "form": form,
        "filter": flt,
        "view": view,
        "views": VIEWS,
        "periods": PERIODS,
        "period": form.chosen_period,
        "active": _active(request, form),
        "latest_import": usage.latest_import(),
    }
    if form.errors:  # no figures: they would be those of another question
        return render(request, "billing/usage.html", context, status=400)
    form.show_days()
    book = PriceBook.load()
    context["totals"] = usage.totals(flt, book)
    if view == "aggregate":
        context["accounts"] = usage.by_account(flt, book)
    else:
        context |= _page(flt, request.GET.get("after", ""), book)
        if flt.query and not context["page"].rows:
            context["refused"] = quarantined_standing(flt.query, username)
    return render(request, "billing/usage.html", context)


def _page(flt: UsageFilter, after: str, book: PriceBook) -> dict[str, Any]:
    """A cursor that cannot be read, such as that of an old bookmark, shows the newest jobs."""
    try:
        page = job_pages.page(flt, after=after, size=PAGE_SIZE, book=book)
    except BadCursor:
        after, page = "", job_pages.page(flt, size=PAGE_SIZE, book=book)
    return {"after": after, "page": page}


@require_safe
@login_required
def download(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The same filter as the page, every row, oldest first; a filter that cannot be read is refused in words."""
    try:
        check_names(request, ("view", *UsageForm.base_fields))
        view = one_of(request, "view", VIEWS)
    except BadInput as error:
        return refusal(error)
    form, flt = _filter(request, view)
    if form.errors:
        return HttpResponse(form.errors_in_words(), content_type="text/plain; charset=utf-8", status=400)
    return table_response(f"usage.{kind}", gettext("Usage"), USAGE_COLUMNS, usage_rows(flt))


def _filter(request: HttpRequest, view: str) -> tuple[UsageForm, UsageFilter]:
    form = UsageForm(request.GET)
    return form, form.usage_filter(actor_of(request).name, billed="yes" if view == "billed" else "")


def _active(request: HttpRequest, form: UsageForm) -> list[Chip]:
    """Filters in force beside the period, each with the address of the page without it."""
    chips = []
    for name in ("account", "state", "billed", "q"):
        if value := form.cleaned_data.get(name):
            rest = request.GET.copy()
            for dropped in (name, "after"):
                rest.pop(dropped, None)
            text = BILLED[value] if name == "billed" else value
            chips.append(Chip(form.fields[name].label or name, text, f"?{rest.urlencode()}"))
    return chips
