"""Metered usage over the API: sums by period, what a meter says, and single events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Project, Scope
from core.api.paging import cursor_of, next_url, page, read_place
from core.api.serializers import MomentField, PageQuery, page_of, problems
from subscriptions.models import Subscription
from usage.models import Aggregation, Meter, Period, UsageEvent
from usage.reach import readable_projects
from usage.selectors.metering import Asked, mean_latency, meter_values, series

QUANTITY: dict[str, Any] = {"max_digits": 60, "decimal_places": 9}
LONGEST = {Period.HOUR: timedelta(days=93), Period.DAY: timedelta(days=1100), Period.MONTH: timedelta(days=36_600)}


class UsageQuery(PageQuery):
    """Without `project`: all that you may read. Times are instants; `start` is included, `end` is not."""

    project = serializers.UUIDField(required=False)
    organisation = serializers.UUIDField(required=False)
    subscription = serializers.UUIDField(required=False)
    metric = serializers.CharField(required=False, max_length=120)
    model = serializers.CharField(required=False, max_length=255)
    start = MomentField(required=False)
    end = MomentField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("start"), attrs.get("end")
        for name, moment in (("start", start), ("end", end)):
            if moment and not 1990 <= moment.year < 2200:  # noqa: PLR2004 - as the pages have it
                raise serializers.ValidationError({name: [_("A day from 1990 to 2199 is wanted.")]})
        if start and end and end <= start:
            raise serializers.ValidationError({"end": [_("The window ends before it begins.")]})
        return attrs


class AggregateQuery(UsageQuery):
    period = serializers.ChoiceField(Period.values, required=False, default=Period.DAY)
    unit = serializers.CharField(required=False, max_length=40, allow_blank=True)


class MeterQuery(AggregateQuery):
    meter = serializers.CharField(max_length=120, help_text="Its code.")


class AggregateSerializer(serializers.Serializer):
    """Of one series in one period. A period begins as the time zone of the organisation has it."""

    period_start = serializers.DateTimeField()
    project = serializers.UUIDField()
    subscription = serializers.UUIDField(allow_null=True)
    metric_name = serializers.CharField()
    unit = serializers.CharField()
    model = serializers.CharField()
    total_value = serializers.DecimalField(**QUANTITY)
    min_value = serializers.DecimalField(**QUANTITY)
    max_value = serializers.DecimalField(**QUANTITY)
    event_count = serializers.IntegerField()
    error_count = serializers.IntegerField()
    late_count = serializers.IntegerField()
    request_tokens = serializers.IntegerField()
    response_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    reasoning_tokens = serializers.IntegerField()
    average_latency_ms = serializers.DecimalField(max_digits=20, decimal_places=3, allow_null=True)


class MeterValueSerializer(serializers.Serializer):
    period_start = serializers.DateTimeField()
    value = serializers.DecimalField(**QUANTITY)


class MeterReadingSerializer(serializers.Serializer):
    meter = serializers.CharField()
    aggregation = serializers.CharField()
    unit = serializers.CharField()
    values = MeterValueSerializer(many=True)


class StoredEventSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    metric_name = serializers.CharField()
    metric_value = serializers.DecimalField(**QUANTITY)
    unit = serializers.CharField()
    timestamp = serializers.DateTimeField()
    idempotency_key = serializers.CharField()
    metadata = serializers.DictField()
    model = serializers.CharField(source="model_id")
    request_tokens = serializers.IntegerField(allow_null=True)
    response_tokens = serializers.IntegerField(allow_null=True)
    cached_tokens = serializers.IntegerField(allow_null=True)
    reasoning_tokens = serializers.IntegerField(allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)
    status_code = serializers.IntegerField(allow_null=True)
    late = serializers.BooleanField(source="is_late")
    ingested_at = serializers.DateTimeField()


class AggregatesView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="aggregates_list",
        parameters=[AggregateQuery],
        responses={200: page_of(AggregateSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Sums by hour, day or month, newest first."""
        query = _read(AggregateQuery, request)
        projects = _projects(request, query)
        asked = _asked(request, query, projects)
        start = read_place(query["cursor"]) if query.get("cursor") else 0
        size = query["limit"]
        found = list(series(asked)[start : start + size + 1]) if projects else []
        names = {each.pk: each.uuid for each in projects}
        kept = {row["subscription_id"] for row in found[:size]} - {None}
        subscriptions = dict(Subscription.objects.filter(pk__in=kept).values_list("pk", "uuid")) if kept else {}
        rows = [
            {
                **row,
                "project": names[row["project_id"]],
                "subscription": subscriptions.get(row["subscription_id"]),
                "model": row["model_id"],
                "average_latency_ms": mean_latency(row),
            }
            for row in found[:size]
        ]
        cursor = cursor_of([start + size]) if len(found) > size else ""
        return Response(
            {"next": next_url(request._request, cursor), "results": AggregateSerializer(rows, many=True).data}
        )


class MeterView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}
    takes_project_keys = True

    @extend_schema(
        operation_id="meters_read",
        parameters=[MeterQuery],
        responses={200: MeterReadingSerializer, **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """What a meter says, by period: count, sum, largest, smallest, number of different values or last value."""
        query = _read(MeterQuery, request)
        meter = Meter.objects.filter(code=query["meter"]).first()
        if meter is None:
            raise Http404(_("There is no such meter."))
        query.pop("metric", None)
        if meter.aggregation == Aggregation.UNIQUE and (given := [name for name in ("unit", "model") if name in query]):
            words = _("A meter of different values knows no unit and no model.")
            raise serializers.ValidationError({name: [words] for name in given})
        values = meter_values(meter, _asked(request, query, _projects(request, query)))
        rows = [{"period_start": start, "value": value} for start, value in values.items()]
        body = {"meter": meter.code, "aggregation": meter.aggregation, "unit": meter.unit, "values": rows}
        return Response(MeterReadingSerializer(body).data)


def list_events(request: Request) -> Response:
    """``GET /api/v1/events``: single events, newest first."""
    query = _read(UsageQuery, request)
    projects = _projects(request, query)
    exact = {
        "metric_name": query.get("metric"), "model_id": query.get("model"), "timestamp__gte": query.get("start"),
        "timestamp__lt": query.get("end"), "subscription": _subscription(request, query),
    }  # fmt: skip
    rows = UsageEvent.objects.filter(
        organisation__in={each.organisation_id for each in projects}, project__in=[each.pk for each in projects],
        **{name: value for name, value in exact.items() if value is not None},
    ).select_related("project")  # fmt: skip
    found = page(rows, by=("timestamp", "id"), after=query.get("cursor", ""), size=query["limit"])
    body = StoredEventSerializer(found.rows, many=True).data
    return Response({"next": next_url(request._request, found.cursor), "results": body})


def _read(kind: type[UsageQuery], request: Request) -> dict[str, Any]:
    checked = kind(data=request.query_params)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


def _projects(request: Request, query: dict[str, Any]) -> list[Project]:
    rows = readable_projects(request)
    if "project" in query:
        rows = rows.filter(uuid=query["project"])
    if "organisation" in query:
        rows = rows.filter(organisation__uuid=query["organisation"])
    found = list(rows)
    if not found and "project" in query:
        raise Http404(_("There is no such project."))
    if not found and "organisation" in query:
        raise Http404(_("There is no such organisation."))
    return found


def _subscription(request: Request, query: dict[str, Any]) -> int | None:
    """Its id; 0 (which none has) for one that is not there: the sums tell no more than that nothing was found."""
    if "subscription" not in query:
        return None
    return Subscription.objects.filter(uuid=query["subscription"]).values_list("pk", flat=True).first() or 0


def _asked(request: Request, query: dict[str, Any], projects: list[Project]) -> Asked:
    period = query["period"]
    end: datetime = query.get("end") or timezone.now()
    start = query.get("start") or end - LONGEST[period]
    if end - start > LONGEST[period]:
        raise serializers.ValidationError(
            {"start": [_("At most %(days)s days at once for this period.") % {"days": LONGEST[period].days}]}
        )
    return Asked(
        [each.pk for each in projects], period, start, end, query.get("metric", ""), query.get("unit", ""),
        query.get("model", ""), _subscription(request, query),
    )  # fmt: skip
