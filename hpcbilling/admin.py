"""The finance console: Django's admin with a front page that says what needs attention."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import DataError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import include, path
from django.utils.translation import gettext_lazy as _

from hpcbilling.pages import exports, front, reports, saved_filters, search

logger = logging.getLogger("hpcbilling.console")
View = Callable[..., HttpResponseBase]
# What a filter of no sense ends in: a year that no calendar has, a number that no column holds, a range with one end, a
# column that the list does not show.
ODD = (ValueError, OverflowError, IndexError, DataError, ValidationError, DisallowedModelAdminLookup)


class FinanceAdminSite(admin.AdminSite):
    site_title = site_header = _("Finance console")
    index_title = _("What needs attention")
    empty_value_display = "–"  # as the pages write it; Django's own is a hyphen
    enable_nav_sidebar = False  # wide tables need the room; the bar on top leads to the main lists

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        links = [*front.main_lists(request), *reports.nav_link(request), *exports.nav_link(request)]
        return {**super().each_context(request), "console_nav": links}

    def get_urls(self) -> list[Any]:
        return [
            *search.urls(self),
            *saved_filters.urls(self),
            *exports.urls(self),
            *reports.urls(self),
            *self._named_otherwise(super().get_urls()),
        ]

    def _named_otherwise(self, urls: list[Any]) -> list[Any]:
        """A model whose admin has an ``address`` is found there, and not under the model's own name."""
        of_route = {f"{model._meta.app_label}/{model._meta.model_name}/": row for model, row in self._registry.items()}
        found = []
        for each in urls:
            row = of_route.get(str(each.pattern))
            address = getattr(row, "address", "")
            found.append(path(f"{address}/", include(row.urls)) if row and address else each)
        return found

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**front.context(request), **(extra_context or {})})

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        is_list = getattr(view, "__name__", "") == "changelist_view"
        return super().admin_view(_refusing_odd_filters(view) if is_list else view, cacheable)


def _refusing_odd_filters(view: View) -> View:
    """A list whose filter or choice of rows cannot be read is a bad request; an error of an action stays an error."""
    model_admin: admin.ModelAdmin[Any] = view.__self__  # type: ignore[attr-defined]

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            if request.method == "POST":
                _read_first(model_admin, request)
            else:
                return _rendered(view(request, *args, **kwargs))
        except ODD as error:
            logger.warning("list refused: %s %s: %r", request.method, request.path, error, exc_info=True)
            return render(request, "400.html", status=400)
        return view(request, *args, **kwargs)

    return guarded


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    """Rows are read while the page is made, so it is made where errors are caught."""
    return response.render() if isinstance(response, SimpleTemplateResponse) else response


def _read_first(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> None:
    """Read the chosen rows' keys and the list's filter before an action runs, so that its own errors stay visible."""
    key = model_admin.model._meta.pk
    for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
        key.to_python(chosen)
        key.run_validators(key.to_python(chosen))
    if request.GET and model_admin.has_view_or_change_permission(request):
        try:
            model_admin.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return  # the view itself answers this with a clean list
