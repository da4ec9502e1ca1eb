"""Filters of the console's lists that people keep for themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.apps import apps
from django.contrib import messages
from django.contrib.admin import AdminSite, DateFieldListFilter
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from hpcbilling.findings import list_url
from hpcbilling.models import SavedFilter

MOST = 20  # of one list and person
LONGEST_NAME, LONGEST_QUERY = 60, 2000
_PASSING = (PAGE_VAR, ERROR_FLAG)
MOVING = ("", "today", "week", "month", "year")  # the places of DateFieldListFilter.links
PERIOD = "__period"


def where(opts: Any) -> str:
    return f"{opts.app_label}.{opts.model_name}"


def plain(query: str) -> str:
    """The filter in ``query``, in one order and without the page that was open."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted((key, value) for key, value in pairs if key not in _PASSING))


def lasting(query: QueryDict, specs: Iterable[Any]) -> str:
    """``plain``, with a period in place of its days of today: kept as days it would mean the same days for ever."""
    pairs = parse_qsl(plain(query.urlencode()), keep_blank_values=True)
    for field, links in _periods(specs):
        days = {name: value for name, value in pairs if name.startswith(f"{field}__")}
        for word, link in zip(MOVING, links, strict=False):
            if word and days == link:
                pairs = [pair for pair in pairs if pair[0] not in days] + [(field + PERIOD, word)]
    return urlencode(sorted(pairs))


def of_today(query: str, specs: Iterable[Any]) -> str:
    """The address of a kept filter: its periods as days again."""
    links_of = dict(_periods(specs))
    pairs: list[tuple[str, str]] = []
    for name, value in parse_qsl(query, keep_blank_values=True):
        links = links_of.get(name.removesuffix(PERIOD)) if name.endswith(PERIOD) else None
        pairs += links[MOVING.index(value)].items() if links and value in MOVING else [(name, value)]
    return urlencode(pairs)


def _periods(specs: Iterable[Any]) -> Iterable[tuple[str, list[dict[str, str]]]]:
    """Each field that is filtered by periods, with the days that these mean now."""
    for spec in specs:
        if isinstance(spec, DateFieldListFilter):
            links: Any = spec.links
            yield str(spec.field_path), [{key: str(day) for key, day in days.items()} for _title, days in links]


def of(user: Any, opts: Any) -> QuerySet[SavedFilter]:
    return SavedFilter.objects.filter(user_id=user.get_username(), where=where(opts))


def _list_of(request: HttpRequest, name: str) -> type[Model]:
    """The model of a list that the viewer may open."""
    try:
        model = apps.get_model(name)
    except (LookupError, ValueError) as error:
        raise Http404 from error
    meta = model._meta
    if not list_url(model) or not request.user.has_perm(f"{meta.app_label}.view_{meta.model_name}"):
        raise Http404
    return model


@require_POST
def add(request: HttpRequest) -> HttpResponseBase:
    """Keep a filter under a name; the same name is kept anew."""
    model = _list_of(request, request.POST.get("where", ""))
    name, query = " ".join(request.POST.get("name", "").split()), plain(request.POST.get("query", ""))
    back = redirect(f"{list_url(model)}?{plain(request.POST.get('here', query))}")
    if not 0 < len(name) <= LONGEST_NAME or not query or len(query) > LONGEST_QUERY:
        messages.error(request, _("A filter needs a name of at most %(n)d characters.") % {"n": LONGEST_NAME})
        return back
    mine = of(request.user, model._meta)
    if not mine.filter(name=name).exists() and mine.count() >= MOST:
        messages.error(request, _("You keep %(n)d filters of this list already; delete one first.") % {"n": MOST})
        return back
    try:
        with transaction.atomic():
            SavedFilter.objects.update_or_create(
                user_id=request.user.get_username(), where=where(model._meta), name=name, defaults={"query": query}
            )
    except IntegrityError:  # the same click twice
        return back
    messages.success(request, _("Kept as “%(name)s”.") % {"name": name})
    return back


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponseBase:
    row = get_object_or_404(SavedFilter, pk=pk, user_id=request.user.get_username())
    back = list_url(_list_of(request, row.where))
    row.delete()
    return redirect(back)


def urls(site: AdminSite) -> list[URLPattern]:
    return [
        path("saved-filters/", site.admin_view(add), name="saved_filter_add"),
        path("saved-filters/<int:pk>/delete/", site.admin_view(delete), name="saved_filter_delete"),
    ]
