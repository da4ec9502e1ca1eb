"""``/api/v1/reports``: the console's reports as JSON and as files. For staff."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Organisation, Scope
from audit.exporting import recorded
from billing.api import scope
from billing.reports.base import PERMISSION, Asked, Report, all_reports, check, find
from billing.services.ledger.journal import catch_up
from core.api.paging import cursor_of, next_url, read_cursor
from core.api.serializers import PageQuery, StrictSerializer, problems
from core.errors import BadInput, Misconfigured
from core.exports import FORMATS, Kind, table_response
from core.money import places

_MONTH = re.compile(r"2[01][0-9]{2}-(0[1-9]|1[0-2])")


@extend_schema_field({"type": "string", "pattern": "^2[01][0-9]{2}-(0[1-9]|1[0-2])$", "examples": ["2026-10"]})
class MonthField(serializers.Field):
    """A month such as 2026-10."""

    def to_internal_value(self, data: Any) -> date:
        if not _MONTH.fullmatch(str(data)):
            raise serializers.ValidationError(_("A month such as 2026-10."))
        return date.fromisoformat(f"{data}-01")

    def to_representation(self, value: Any) -> str:
        return f"{value:%Y-%m}"


class FilterQuery(StrictSerializer):
    start = MonthField(required=False)
    end = MonthField(required=False)
    as_of = serializers.DateField(required=False)
    currency = serializers.CharField(required=False, max_length=3)
    organisation = serializers.UUIDField(required=False)
    of = serializers.CharField(required=False, max_length=200, help_text="A figure: the rows that make it.")


class ReportQuery(FilterQuery, PageQuery):
    pass


def may(request: Request) -> None:
    if not scope.sees_all(request, PERMISSION):
        raise PermissionDenied


class ReportsView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(operation_id="reports_list", responses={200: OpenApiTypes.OBJECT, **problems(401, 403)})
    def get(self, request: Request) -> Response:
        """The reports there are, with their columns and the filters that each heeds. Staff with
        `billing.view_journalentry`."""
        may(request)
        found = [
            {
                "name": each.name, "title": str(each.title), "about": str(each.lead), "period": each.period,
                "by_organisation": each.by_organisation,
                "columns": [{"name": column.name, "kind": str(column.kind)} for column in each.columns],
                "url": request.build_absolute_uri(reverse("api:report", args=[each.name])),
            }
            for each in all_reports()
        ]  # fmt: skip
        return Response({"results": found})


class ReportView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="reports_read", parameters=[ReportQuery],
        responses={200: OpenApiTypes.OBJECT, **problems(400, 401, 403, 404)},
    )  # fmt: skip
    def get(self, request: Request, name: str) -> Response:
        """The figures of a report. `start` and `end` are months, `as_of` is a day; `rows_url` of a figure leads to the
        rows that make it. Money is text, with its currency beside it; different currencies are never added."""
        may(request)
        query = scope.read(ReportQuery, request.query_params)
        report, table, asked = _asked(request, name, query)
        first = _place(query.get("cursor", ""))
        found = list(islice(table.rows(asked), first, first + query["limit"] + 1))
        rows, more = found[: query["limit"]], len(found) > query["limit"]
        results = [_as_json(request, report, table, asked, table.named(row)) for row in rows]
        following = cursor_of([first + query["limit"]]) if more else ""
        return Response({"next": next_url(request._request, following), "results": results})


class ReportFileView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="reports_file", parameters=[FilterQuery],
        responses={200: OpenApiTypes.BINARY, **problems(400, 401, 403, 404)},
    )  # fmt: skip
    def get(self, request: Request, name: str, kind: str) -> HttpResponseBase:
        """All rows of a report as CSV or XLSX; the audit log has who took it."""
        may(request)
        if kind not in FORMATS:
            raise Http404(_("There is no such report."))
        query = scope.read(FilterQuery, request.query_params)
        _report, table, asked = _asked(request, name, query)
        rows = recorded(
            actor=scope.actor(request), target=f"report {table.name}", asked={"format": kind, **asked.query()},
            rows=table.rows(asked),
        )  # fmt: skip
        return table_response(f"{table.name}.{kind}", table.title, table.columns, rows)


def _asked(request: Request, name: str, query: dict[str, Any]) -> tuple[Report, Report, Asked]:
    """The report, and the table that is asked for: its own, or the rows behind a figure."""
    try:
        report = find(name)
    except Misconfigured as error:
        raise Http404(_("There is no such report.")) from error
    table = report.detail if query.get("of") and report.detail else report
    wanted: dict[str, Any] = {key: query[key] for key in ("start", "end", "as_of", "currency", "of") if key in query}
    if "organisation" in query:
        found = Organisation.objects.filter(uuid=query["organisation"]).first()
        if found is None:
            raise BadInput(_("There is no such organisation."), field="organisation")
        wanted["organisation"] = found.pk
    asked = check(table, Asked(**wanted))
    if report.posts:
        catch_up(actor=scope.actor(request))
    return report, table, asked


def _place(cursor: str) -> int:
    if not cursor:
        return 0
    (place,) = read_cursor(cursor, 1)
    if not isinstance(place, int) or not 0 <= place < 2**31:
        raise BadInput(_("This cursor cannot be read; begin without one."), field="cursor")
    return place


def _as_json(request: Request, report: Report, table: Report, asked: Asked, row: dict[str, Any]) -> dict[str, Any]:
    kinds = {column.name: column.kind for column in table.columns}
    currency = str(row.get("currency") or "")
    found = {name: _plain(kinds[name], value, currency, name) for name, value in row.items()}
    if table is report and table.key is not None and table.detail is not None:
        address = reverse("api:report", args=[report.name])
        query = {**asked.query(of=table.key(row)), **_organisation(request)}
        found["rows_url"] = request.build_absolute_uri(f"{address}?{urlencode(query)}")
    return found


def _organisation(request: Request) -> dict[str, str]:
    given = request.query_params.get("organisation")
    return {"organisation": given} if given else {}


def _plain(kind: Kind, value: Any, currency: str, name: str) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.{places(currency)}f}" if kind == Kind.MONEY and currency else f"{value:f}"
    if isinstance(value, date):
        return f"{value:%Y-%m}" if name == "month" else value.isoformat()
    return value
