"""Filters of the console's lists that people keep for themselves."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.apps import apps
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
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


def where(opts: Any) -> str:
    return f"{opts.app_label}.{opts.model_name}"


def plain(query: str) -> str:
    """The filter in ``query``, in one order and without the page that was open."""
    return urlencode(sorted((key, value) for key, value in parse_qsl(query) if key not in _PASSING))


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
    back = redirect(f"{list_url(model)}?{query}")
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
