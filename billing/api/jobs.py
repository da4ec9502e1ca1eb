"""``/api/v1/jobs``: what was used, and what it cost or would cost now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Scope
from billing.api import scope
from billing.models import Receipt
from billing.selectors.jobs import job_pages, usage
from billing.selectors.jobs.standing import standings
from billing.selectors.jobs.usage import STATUSES, UsageFilter, UsageRow
from billing.selectors.pricing.prices import PriceBook
from core.api.paging import next_url
from core.api.serializers import HoursField, MoneyField, PageQuery, page_of, problems


class JobQuery(PageQuery):
    """Days are the site's, both included; with one of them only jobs that ended are listed."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    account = serializers.CharField(required=False, max_length=120)
    partition = serializers.CharField(required=False, max_length=255)
    cluster = serializers.CharField(required=False, max_length=64)
    state = serializers.CharField(required=False, max_length=40, help_text="Slurm's state, such as COMPLETED.")
    billed = serializers.ChoiceField(["yes", "no"], required=False, help_text="Whether it is on a receipt.")
    user = serializers.CharField(required=False, max_length=120, help_text="Staff with usage.view_job only.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_days(attrs)
        return attrs


def check_days(values: dict[str, Any]) -> None:
    """Raises by field: a window that ends before it begins, or days beyond the calendar of the database."""
    start, end = values.get("start"), values.get("end")
    for name, day in (("start", start), ("end", end)):
        if day and not 1990 <= day.year < 2200:  # noqa: PLR2004 - as the pages have it
            raise serializers.ValidationError({name: [_("A day from 1990 to 2199 is wanted.")]})
    if start and end and end < start:
        raise serializers.ValidationError({"end": [_("The window ends before it begins.")]})


class JobSerializer(serializers.Serializer):
    """Amounts are what Slurm allocated. `cost` is that of the receipt, else by the rates in force now."""

    id = serializers.IntegerField(source="job.pk")
    job_key = serializers.CharField(source="job.job_key")
    job_id = serializers.CharField(source="job.job_id_display")
    cluster = serializers.CharField(source="job.cluster")
    user = serializers.CharField(source="job.username")
    account = serializers.CharField(source="job.account")
    partition = serializers.CharField(source="job.partition")
    qos = serializers.CharField(source="job.qos")
    name = serializers.CharField(source="job.job_name")
    state = serializers.CharField(source="job.state")
    submitted_at = serializers.DateTimeField(source="job.submit_at", allow_null=True)
    started_at = serializers.DateTimeField(source="job.start_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="job.end_at", allow_null=True)
    elapsed_seconds = serializers.IntegerField(source="job.elapsed_seconds")
    nodes = serializers.IntegerField(source="job.nodes")
    cpus = serializers.IntegerField(source="job.cpus")
    gpus = serializers.IntegerField(source="job.gpus")
    gpu_types = serializers.DictField(source="job.gpu_types", child=serializers.IntegerField())
    mem_mib = serializers.IntegerField(source="job.mem_mib")
    core_hours = HoursField(source="cpu_core_hours")
    gpu_hours = HoursField()
    gb_hours = HoursField(source="mem_gb_hours")
    tier = serializers.CharField()
    cost = MoneyField(allow_null=True)
    currency = serializers.SerializerMethodField()
    status = serializers.ChoiceField(STATUSES)
    receipt = serializers.IntegerField(source="receipt_id", allow_null=True)

    def get_currency(self, row: UsageRow) -> str:
        """The receipt's, where there is one."""
        currencies: dict[int, str] = self.context["currencies"]
        return currencies.get(row.receipt_id or 0, settings.PAYMENT_CURRENCY)


class StandingSerializer(serializers.Serializer):
    """Why it is, or is not, on a receipt. `code` is stable (docs/pricing.md)."""

    code = serializers.CharField()
    words = serializers.CharField()


class JobDetailSerializer(JobSerializer):
    standing = StandingSerializer()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        row, standing = instance
        return {**JobSerializer(row, context=self.context).data, "standing": StandingSerializer(standing).data}


class JobsView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(
        operation_id="jobs_list",
        parameters=[JobQuery],
        responses={200: page_of(JobSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Your jobs: what has not ended first, then the newest end. Staff with `usage.view_job` see everybody's."""
        query = scope.read(JobQuery, request.query_params)
        flt = UsageFilter(
            username=scope.whose(request, query.get("user", ""), "usage.view_job"),
            start=query.get("start"),
            end=query.get("end"),
            **{name: query.get(name, "") for name in ("account", "partition", "cluster", "state", "billed")},
        )
        page = job_pages.page(flt, after=query.get("cursor", ""), size=query["limit"])
        rows = JobSerializer(page.rows, many=True, context={"currencies": _currencies(page.rows)})
        return Response({"next": next_url(request._request, page.next_cursor), "results": rows.data})


class JobView(APIView):
    key_scopes = {"GET": Scope.USAGE_READ}

    @extend_schema(operation_id="jobs_read", responses={200: JobDetailSerializer, **problems(401, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """One job, with the answer to "why is it (not) on my receipt?"."""
        job = scope.find_job(request, pk)
        book = PriceBook.load()
        row = usage.row_of(job, book)
        pair = (row, standings([job], book)[job.pk])
        return Response(JobDetailSerializer(pair, context={"currencies": _currencies([row])}).data)


def _currencies(rows: list[UsageRow]) -> dict[int, str]:
    receipts = Receipt.objects.filter(pk__in={row.receipt_id for row in rows if row.receipt_id})
    return dict(receipts.values_list("pk", "currency"))
