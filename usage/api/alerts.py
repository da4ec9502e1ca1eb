"""``/api/v1/alerts``: rules that watch usage and cost, and what they raised."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import WebhookEndpoint
from accounts.webhook_reach import own_endpoints, own_organisations
from core.api.asking import actor, read
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.database.decimals import plain
from core.errors import BadInput
from usage.alerts.reach import (
    find_alert,
    find_rule,
    may_change,
    readable_alerts,
    readable_rules,
    watchable_projects,
)
from usage.models import AlertPeriod, AlertRule, AlertStatus, AlertType, Channel, Operator
from usage.services.alert_rules import change_rule, create_rule, switch_rule
from usage.services.alert_telling import acknowledge

READ = {"GET": "usage:read"}


class QuantityField(serializers.DecimalField):
    """Decimal text with up to 9 places."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_digits": 40, "decimal_places": 9, **kwargs})

    def to_representation(self, value: Any) -> str:
        return plain(Decimal(value))


class RuleSerializer(serializers.Serializer):
    """`webhook` is null, too, where the address is not yours to see."""

    id = serializers.UUIDField(source="uuid")
    organisation = serializers.UUIDField(source="organisation.uuid", allow_null=True, default=None)
    project = serializers.UUIDField(source="project.uuid", allow_null=True, default=None)
    username = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    alert_type = serializers.ChoiceField(AlertType.values)
    metric_name = serializers.CharField()
    unit = serializers.CharField()
    threshold_value = QuantityField(allow_null=True)
    threshold_operator = serializers.ChoiceField(Operator.values)
    comparison_period = serializers.ChoiceField(AlertPeriod.values)
    spike_threshold_percent = serializers.DecimalField(max_digits=9, decimal_places=2, allow_null=True)
    spike_comparison_period = serializers.ChoiceField(["", *AlertPeriod.values])
    is_active = serializers.BooleanField()
    notification_channels = serializers.ListField(child=serializers.ChoiceField(Channel.values))
    recipient_email = serializers.CharField()
    webhook = serializers.UUIDField(source="webhook.uuid", allow_null=True, default=None)
    cooldown_minutes = serializers.IntegerField()
    last_fired_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class RuleChangeSerializer(StrictSerializer):
    """What is named is set; each kind of rule says which fields it needs."""

    name = TextField(max_length=160, required=False)
    description = TextField(max_length=2000, required=False, allow_blank=True)
    alert_type = serializers.ChoiceField(
        AlertType.values, required=False,
        help_text="cost_threshold watches what Slurm jobs and, of organisations, metered usage cost together.",
    )  # fmt: skip
    metric_name = TextField(
        max_length=120, required=False, allow_blank=True,
        help_text="cpu_hours, gpu_hours, mem_gb_hours, jobs of Slurm; else a metric of events. Empty for cost.",
    )  # fmt: skip
    unit = TextField(max_length=40, required=False, allow_blank=True)
    threshold_value = QuantityField(required=False, allow_null=True, min_value=Decimal(0))
    threshold_operator = serializers.ChoiceField(
        Operator.values, required=False,
        help_text="gt and gte watch the running window; lt, lte and eq the last one that is over.",
    )  # fmt: skip
    comparison_period = serializers.ChoiceField(AlertPeriod.values, required=False)
    spike_threshold_percent = serializers.DecimalField(
        max_digits=9, decimal_places=2, min_value=Decimal(0), required=False, allow_null=True
    )
    spike_comparison_period = serializers.ChoiceField(["", *AlertPeriod.values], required=False)
    notification_channels = serializers.ListField(
        child=serializers.ChoiceField(Channel.values), min_length=1, max_length=2, required=False
    )
    recipient_email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    webhook = serializers.UUIDField(required=False, allow_null=True)
    cooldown_minutes = serializers.IntegerField(
        min_value=0, max_value=366 * 24 * 60, required=False,
        help_text="0: once in each window. Else it speaks again after so long, while it holds.",
    )  # fmt: skip


class NewRuleSerializer(RuleChangeSerializer):
    """Watches a project, an organisation, or, without either, your own Slurm usage."""

    name = TextField(max_length=160)
    alert_type = serializers.ChoiceField(AlertType.values)
    organisation = serializers.UUIDField(required=False, allow_null=True)
    project = serializers.UUIDField(required=False, allow_null=True)


class RulePatchSerializer(RuleChangeSerializer):
    is_active = serializers.BooleanField(required=False)


class AlertSerializer(serializers.Serializer):
    """What was seen, as it was then. `unit` is the currency where cost was watched."""

    id = serializers.UUIDField(source="uuid")
    rule = serializers.UUIDField(source="alert_rule.uuid")
    rule_name = serializers.CharField(source="alert_rule.name")
    organisation = serializers.UUIDField(source="organisation.uuid", allow_null=True, default=None)
    project = serializers.UUIDField(source="project.uuid", allow_null=True, default=None)
    username = serializers.CharField()
    alert_type = serializers.ChoiceField(AlertType.values)
    metric_name = serializers.CharField()
    unit = serializers.CharField()
    threshold_value = QuantityField(allow_null=True)
    actual_value = QuantityField()
    comparison_period = serializers.ChoiceField(AlertPeriod.values)
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    status = serializers.ChoiceField(AlertStatus.values)
    notification_channels = serializers.ListField(child=serializers.ChoiceField(Channel.values))
    sent_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()
    error_message = serializers.CharField()
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()


class HistoryQuery(PageQuery):
    status = serializers.ChoiceField(AlertStatus.values, required=False)
    rule = serializers.UUIDField(required=False)


class RulesView(APIView):
    key_scopes = READ

    @extend_schema(
        operation_id="alerts_list",
        parameters=[PageQuery],
        responses={200: page_of(RuleSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """Rules on your Slurm usage, on organisations that you belong to and on projects that you lead."""
        query = read(PageQuery, request.query_params)
        found = page(readable_rules(request.user), by=("id",), after=query.get("cursor", ""), size=query["limit"])
        results = [_rule(request, row) for row in found.rows]
        return Response({"next": next_url(request._request, found.cursor), "results": results})

    @extend_schema(
        operation_id="alerts_create",
        request=NewRuleSerializer,
        responses={201: RuleSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request) -> Response:
        """Make a rule. Every refusal names its field."""
        order = read(NewRuleSerializer, request.data)
        subject = _subject(request, order.pop("organisation", None), order.pop("project", None))
        made = create_rule(actor=actor(request), **_with_webhook(request, order), **subject)
        return Response(_rule(request, made), status=201)


class RuleView(APIView):
    key_scopes = READ

    @extend_schema(operation_id="alerts_read", responses={200: RuleSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One rule."""
        return Response(_rule(request, find_rule(request.user, uuid)))

    @extend_schema(
        operation_id="alerts_change",
        request=RulePatchSerializer,
        responses={200: RuleSerializer, **problems(400, 401, 403, 404)},
    )
    def patch(self, request: Request, uuid: UUID) -> Response:
        """Change what is named. What a rule watches stays: make another rule for that."""
        rule = _changeable(request, uuid)
        order = read(RulePatchSerializer, request.data)
        active = order.pop("is_active", None)
        if order:
            change_rule(actor=actor(request), rule=rule, **_with_webhook(request, order))
        if active is not None:
            switch_rule(actor=actor(request), rule=rule, on=active)
        return Response(_rule(request, find_rule(request.user, uuid)))

    @extend_schema(operation_id="alerts_delete", responses={204: None, **problems(401, 403, 404)})
    def delete(self, request: Request, uuid: UUID) -> Response:
        """Switch it off. The rule and what it raised stay; a repeat changes nothing."""
        switch_rule(actor=actor(request), rule=_changeable(request, uuid), on=False)
        return Response(status=204)


class HistoryView(APIView):
    key_scopes = READ

    @extend_schema(
        operation_id="alerts_history",
        parameters=[HistoryQuery],
        responses={200: page_of(AlertSerializer), **problems(400, 401, 403)},
    )
    def get(self, request: Request) -> Response:
        """What was raised, the newest first."""
        query = read(HistoryQuery, request.query_params)
        exact = {"status": query.get("status"), "alert_rule__uuid": query.get("rule")}
        rows = readable_alerts(request.user).filter(**{name: value for name, value in exact.items() if value})
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        results = AlertSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": results})


class AlertView(APIView):
    key_scopes = READ

    @extend_schema(operation_id="alerts_history_read", responses={200: AlertSerializer, **problems(401, 403, 404)})
    def get(self, request: Request, uuid: UUID) -> Response:
        """One alert that was raised."""
        return Response(AlertSerializer(find_alert(request.user, uuid)).data)


class AcknowledgeView(APIView):
    @extend_schema(
        operation_id="alerts_acknowledge", request=None, responses={200: AlertSerializer, **problems(401, 403, 404)}
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Say that you have seen it. A repeat changes nothing."""
        alert = find_alert(request.user, uuid)
        acknowledge(actor=actor(request), alert=alert)
        return Response(AlertSerializer(find_alert(request.user, uuid)).data)


def _rule(request: Request, row: AlertRule) -> dict[str, Any]:
    return {**RuleSerializer(row).data}


def _changeable(request: Request, uuid: UUID) -> AlertRule:
    """Raises ``Http404`` for what is not to be seen, ``PermissionDenied`` for what is only to be seen."""
    rule = find_rule(request.user, uuid)
    if not may_change(request.user, rule):
        raise PermissionDenied
    return rule


def _subject(request: Request, organisation: UUID | None, project: UUID | None) -> dict[str, Any]:
    """What a new rule watches; only what the reader may make rules for. Raises ``Http404``."""
    if project is not None:
        found = watchable_projects(request.user).filter(uuid=project).first()
        if found is None:
            raise Http404(_("There is no such project."))
        if organisation not in (None, found.organisation.uuid):
            raise BadInput(_("This project is not one of the organisation's."), field="project")
        return {"organisation": found.organisation, "project": found}
    if organisation is not None:
        owner = own_organisations(request.user).filter(uuid=organisation).first()
        if owner is None:
            raise Http404(_("There is no such organisation."))
        return {"organisation": owner}
    return {"username": actor(request).name}


def _with_webhook(request: Request, order: dict[str, Any]) -> dict[str, Any]:
    """The address that is named, as a row of ours: one of the reader's, or none."""
    if order.get("webhook") is None:
        return order
    endpoint: WebhookEndpoint | None = own_endpoints(request.user).filter(uuid=order["webhook"]).first()
    if endpoint is None:
        raise BadInput(_("There is no such webhook address."), field="webhook")
    return {**order, "webhook": endpoint}
