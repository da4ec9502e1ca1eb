"""The console's reports: a list, a page each with its filters and files, and the rows behind each figure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

from django import forms
from django.contrib.admin.sites import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from accounts.models import Organisation
from audit.exporting import recorded
from billing.reports.base import AS_OF, MONTHS, PERMISSION, Asked, Report, all_reports, check, find
from billing.reports.fields import MonthField
from billing.services.ledger.journal import catch_up
from core.context import actor_of
from core.errors import AppError, Misconfigured
from core.exports import FORMATS, Column, Kind, Row, table_response
from core.money import places
from core.periods import month_start, previous_month, today
from core.words.wording import day_text, decimal_text, month_text, quantity_text

SHOWN = 500


class ReportForm(forms.Form):
    """The filters that a report has."""

    start = MonthField(label=_("From month"))
    end = MonthField(label=_("To month"))
    as_of = forms.DateField(
        label=_("As of"), required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    currency = forms.CharField(label=_("Currency"), required=False, max_length=3)
    organisation = forms.ModelChoiceField(
        Organisation.objects.order_by("name"), label=_("Organisation"), required=False, empty_label=_("All")
    )
    of = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    def __init__(self, report: Report, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("start", "end") if report.period == AS_OF else ("as_of",):
            del self.fields[name]
        if not report.by_organisation:
            del self.fields["organisation"]

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"] or "").upper()

    def asked(self) -> Asked:
        data = dict(self.cleaned_data)
        organisation = data.pop("organisation", None)
        return Asked(**data, organisation=organisation.pk if organisation else 0)


def urls(site: AdminSite) -> list[URLPattern]:
    def view(request: HttpRequest, name: str, **kwargs: Any) -> HttpResponseBase:
        return page(site, request, name, **kwargs)

    return [
        path("reports/", site.admin_view(lambda request: index(site, request)), name="reports"),
        path("reports/<slug:name>/", site.admin_view(view), name="report"),
        path("reports/<slug:name>/rows/", site.admin_view(view), {"behind": True}, name="report_rows"),
    ]


def nav_link(request: HttpRequest) -> list[tuple[str, str, bool]]:
    address = reverse("admin:reports")
    allowed = request.user.has_perm(PERMISSION)
    return [(str(_("Reports")), address, request.path.startswith(address))] if allowed else []


def index(site: AdminSite, request: HttpRequest) -> HttpResponseBase:
    _may(request)
    context = {**site.each_context(request), "title": _("Reports"), "reports": all_reports()}
    return TemplateResponse(request, "admin/billing/reports.html", context)


def _may(request: HttpRequest) -> None:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


def page(site: AdminSite, request: HttpRequest, name: str, *, behind: bool = False) -> HttpResponseBase:
    """The report as a page, or (``file=csv``, ``file=xlsx``) as a file, whose taking the audit log has."""
    _may(request)
    try:
        report = find(name)
    except Misconfigured as error:
        raise Http404 from error
    table = report.detail if behind else report
    if table is None:
        raise Http404
    data = {name: value for name, value in request.GET.items() if name != "file"}
    form = ReportForm(table, _initial(table) | data if not behind else data)
    shown: list[Row] = []
    asked = Asked()
    if form.is_valid():
        try:
            asked = check(table, form.asked())
            if report.posts:
                catch_up(actor=actor_of(request))
            if (kind := request.GET.get("file", "")) in FORMATS:
                return _file(request, table, asked, kind)
            shown = list(islice(table.rows(asked), SHOWN + 1))
        except AppError as error:
            field = str(error.details.get("field", ""))
            form.add_error(field if field in form.fields else None, error.message)
    context = {
        **site.each_context(request), "title": table.title, "report": report, "table": table, "form": form,
        "behind": behind, "columns": [(column.label, is_number(column)) for column in _shown(table)],
        "lines": [_line(table, name, asked, row) for row in shown[:SHOWN]],
        "more": len(shown) > SHOWN, "shown": SHOWN, "totals": _totals(table, shown) if len(shown) <= SHOWN else [],
        "files": [(kind.upper(), "?" + urlencode({**asked.query(), "file": kind})) for kind in FORMATS],
        "back": f"{reverse('admin:report', args=[name])}?{urlencode(asked.query(of=''))}",
    }  # fmt: skip
    return TemplateResponse(request, "admin/billing/report.html", context, status=400 if form.errors else 200)


def _initial(report: Report) -> dict[str, str]:
    """Without a question: this day, or the latest months, as many as the report says."""
    if report.period != MONTHS:
        return {"as_of": today().isoformat()}
    first = month_start(today())
    for _each in range(report.months - 1):
        first = previous_month(first)
    return {"start": f"{first:%Y-%m}", "end": f"{today():%Y-%m}"}


def _file(request: HttpRequest, table: Report, asked: Asked, kind: str) -> HttpResponseBase:
    rows = recorded(
        actor=actor_of(request), target=f"report {table.name}", asked={"format": kind, **asked.query()},
        rows=table.rows(asked),
    )  # fmt: skip
    return table_response(file_name(table, asked, kind), table.title, table.columns, rows)


def file_name(table: Report, asked: Asked, kind: str) -> str:
    days = [f"{day:%Y-%m}" for day in (asked.start, asked.end) if day] or ([f"{asked.as_of}"] if asked.as_of else [])
    return "_".join([table.name, *(["rows"] if asked.of else []), *days]) + f".{kind}"


def _line(table: Report, name: str, asked: Asked, row: Row) -> dict[str, Any]:
    named = table.named(row)
    address = ""
    if table.url is not None:
        address = table.url(named)
    elif table.key is not None and table.detail is not None:
        address = f"{reverse('admin:report_rows', args=[name])}?{urlencode(asked.query(of=table.key(named)))}"
    currency = str(named.get("currency") or "")
    cells = [
        (_text(table, column, value, currency), is_number(column))
        for column, value in zip(table.columns, row, strict=True)
        if column.name not in table.for_machines
    ]
    return {"url": address, "cells": cells}


def _shown(table: Report) -> list[Column]:
    return [column for column in table.columns if column.name not in table.for_machines]


def is_number(column: Column) -> bool:
    return column.kind in (Kind.MONEY, Kind.INT, Kind.NUMBER, Kind.HOURS)


def _text(table: Report, column: Column, value: Any, currency: str) -> str:
    if value is None or value == "":
        return ""
    if words := table.words.get(column.name):
        return str(words.get(str(value), value))
    if column.kind == Kind.MONEY:
        return decimal_text(value, places(currency) if currency else 2)
    if column.kind == Kind.NUMBER:
        return quantity_text(value)
    if isinstance(value, date):
        return month_text(value) if column.name == "month" else day_text(value)
    return str(value)


def _totals(table: Report, rows: Sequence[Row]) -> list[list[tuple[str, bool]]]:
    """A line a currency, under the columns; none for a single row."""
    if len(rows) < 2:  # noqa: PLR2004 - a row is its own sum
        return []
    found = []
    for currency, sums in table.totals(rows):
        cells: list[tuple[str, bool]] = []
        for column in _shown(table):
            amount: Decimal | None = sums.get(column.name)
            own = currency if column.name == "currency" else ""
            cells.append((decimal_text(amount, places(currency)) if amount is not None else own, is_number(column)))
        found.append(cells)
    return found
