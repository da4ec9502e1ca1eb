"""``/api/v1/tax-rates`` and ``/api/v1/tax-rules``: taxes and where each belongs, read, set and ended. For staff."""

from __future__ import annotations

from decimal import Decimal

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from billing.api import scope
from billing.models import TaxCategory, TaxedKind, TaxRate, TaxRule
from billing.models.taxes import CODE
from billing.services.pricing.taxes import LABEL, REASON, create_tax_rule, end_tax_rule, set_tax_rate
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.errors import BadInput
from subscriptions.models import Plan


class TaxRateQuery(PageQuery):
    code = serializers.CharField(required=False, max_length=CODE)


class NewTaxRateSerializer(StrictSerializer):
    """What a tax is from a day on. Only category `S` has a rate; `E` needs its reason."""

    code = TextField(max_length=CODE, help_text="Small letters, digits and hyphens; one that is there: its next rate.")
    category = serializers.ChoiceField(TaxCategory.values)
    label = TextField(max_length=LABEL, help_text="It stands on the invoice.")  # type: ignore[assignment]
    rate = serializers.DecimalField(5, 2, required=False, default=Decimal(0), help_text="In percent.")
    reason = TextField(max_length=REASON, required=False, default="", allow_blank=True)
    reason_th = TextField(max_length=REASON, required=False, default="", allow_blank=True)
    effective_from = serializers.DateField()


class TaxRateSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    code = serializers.CharField()
    category = serializers.ChoiceField(TaxCategory.values)
    label = serializers.CharField()  # type: ignore[assignment]
    rate = serializers.DecimalField(5, 2)
    reason = serializers.CharField()
    reason_th = serializers.CharField()
    effective_from = serializers.DateField()
    set_by = serializers.CharField()


class TaxRuleQuery(PageQuery):
    organisation = serializers.UUIDField(required=False)
    on = serializers.DateField(required=False, help_text="Those that hold on this day.")


class NewTaxRuleSerializer(StrictSerializer):
    """Which tax is on what: a `kind` of line, a `metric` or a `plan`; without any of them on everything."""

    tax = TextField(max_length=CODE, help_text="Code of a tax.")
    organisation = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="Null: for all.")
    kind = serializers.ChoiceField(["", *TaxedKind.values], required=False, default="")
    metric = TextField(max_length=120, required=False, default="", allow_blank=True, source="metric_name")
    plan = TextField(max_length=80, required=False, allow_null=True, default=None, help_text="Code of a plan.")
    reason = TextField(max_length=REASON, required=False, default="", allow_blank=True)
    reason_th = TextField(max_length=REASON, required=False, default="", allow_blank=True)
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="The last day; null: open."
    )


class EndTaxRuleSerializer(StrictSerializer):
    last_day = serializers.DateField(help_text="The day before its first takes a mistake back.")


class TaxRuleSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    tax = serializers.CharField()
    organisation = serializers.UUIDField(source="organisation.uuid", allow_null=True, default=None)
    kind = serializers.CharField()
    metric = serializers.CharField(source="metric_name")
    plan = serializers.CharField(source="plan.code", allow_null=True, default=None)
    reason = serializers.CharField()
    reason_th = serializers.CharField()
    effective_from = serializers.DateField()
    effective_to = serializers.DateField(allow_null=True)
    set_by = serializers.CharField()


class TaxRatesView(APIView):
    @extend_schema(
        operation_id="tax_rates_list",
        parameters=[TaxRateQuery],
        responses={200: page_of(TaxRateSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Taxes with their dated rates, newest first. Staff with `billing.view_taxrate`."""
        _allow(request, "billing.view_taxrate")
        query = scope.read(TaxRateQuery, request.query_params)
        rows = TaxRate.objects.filter(**{name: query[name] for name in ("code",) if name in query})
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = TaxRateSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="tax_rates_create",
        parameters=[KEY],
        request=NewTaxRateSerializer,
        responses={201: TaxRateSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Set what a tax is from a day on; a repeat changes nothing. Staff with `billing.add_taxrate`."""
        _allow(request, "billing.add_taxrate")
        row = set_tax_rate(actor=scope.actor(request), **scope.read(NewTaxRateSerializer, request.data))
        return Response(TaxRateSerializer(row).data, status=201)


class TaxRulesView(APIView):
    @extend_schema(
        operation_id="tax_rules_list",
        parameters=[TaxRuleQuery],
        responses={200: page_of(TaxRuleSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Which tax is on what, newest first. Staff with `billing.view_taxrule`."""
        _allow(request, "billing.view_taxrule")
        query = scope.read(TaxRuleQuery, request.query_params)
        rows = TaxRule.objects.select_related("organisation", "plan")
        if "organisation" in query:
            rows = rows.filter(organisation__uuid=query["organisation"])
        if "on" in query:
            rows = rows.filter(effective_from__lte=query["on"]).exclude(effective_to__lt=query["on"])
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = TaxRuleSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})

    @extend_schema(
        operation_id="tax_rules_create",
        parameters=[KEY],
        request=NewTaxRuleSerializer,
        responses={201: TaxRuleSerializer, **problems(400, 401, 403, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """Set which tax is on what, of an organisation or of all. Of several about the same the one that begins last
        counts. Staff with `billing.add_taxrule`."""
        _allow(request, "billing.add_taxrule")
        wanted = scope.read(NewTaxRuleSerializer, request.data)
        if wanted["organisation"] is not None:
            wanted["organisation"] = scope.organisation(wanted["organisation"])
        if wanted["plan"] is not None:
            wanted["plan"] = _plan(wanted["plan"])
        try:
            row = create_tax_rule(actor=scope.actor(request), **wanted)
        except BadInput as error:
            found = error.details.get("errors")
            if isinstance(found, dict) and "metric_name" in found:
                found["metric"] = found.pop("metric_name")  # as it was sent
            raise
        return Response(TaxRuleSerializer(row).data, status=201)


class TaxRuleEndView(APIView):
    @extend_schema(
        operation_id="tax_rules_end",
        parameters=[KEY],
        request=EndTaxRuleSerializer,
        responses={200: TaxRuleSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, pk: int) -> Response:
        """Let it end with a day. A repeat changes nothing. Staff with `billing.change_taxrule`."""
        _allow(request, "billing.change_taxrule")
        row = TaxRule.objects.select_related("organisation", "plan").filter(pk=pk).first()
        if row is None:
            raise Http404(_("There is no such tax rule."))
        wanted = scope.read(EndTaxRuleSerializer, request.data)
        end_tax_rule(actor=scope.actor(request), rule=row, last_day=wanted["last_day"])
        return Response(TaxRuleSerializer(row).data)


def _plan(code: str) -> Plan:
    row = Plan.objects.filter(code=code).first()
    if row is None:
        raise BadInput(_("There is no such plan."), field="plan")
    return row


def _allow(request: Request, permission: str) -> None:
    scope.allow(request, permission, _("Taxes are for staff who may see or set them."))
