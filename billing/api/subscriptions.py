"""``/api/v1/subscriptions/<uuid>/``: change the plan, cancel, keep, and the fees so far."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import KEY, idempotent
from accounts.models import Scope
from billing.models import ChargeKind, SubscriptionCharge
from billing.selectors.fees import PlanQuote
from billing.selectors.subscription_fees import charges_of
from billing.services.subscriptions import plan_changes
from billing.words.fees import how_words
from core.api.paging import next_url, page
from core.api.serializers import PageQuery, StrictSerializer, TextField, page_of, problems
from core.errors import BadInput
from core.money import places
from subscriptions.api import scope
from subscriptions.api.shapes import SubscriptionDetailSerializer
from subscriptions.holders import manages
from subscriptions.models import BillingCycle, Plan, Subscription
from subscriptions.services.history import LONGEST_REASON

DECIDES = "subscriptions.decide_subscription"


class PlanChangeSerializer(StrictSerializer):
    plan = TextField(max_length=60, help_text="The code of the new plan; the same one with another cycle.")
    cycle = serializers.ChoiceField(
        BillingCycle.choices, required=False, help_text="Another billing cycle: now, a whole new period begins."
    )
    at_period_end = serializers.BooleanField(
        required=False, default=False, help_text="With the next period; the plan that it has takes such a wish back."
    )
    expected = TextField(
        required=False, max_length=1000, default="", help_text="From a preview: other amounts are not charged then."
    )


class CancelSerializer(StrictSerializer):
    reason = TextField(required=False, max_length=LONGEST_REASON, allow_blank=True, default="")
    at_period_end = serializers.BooleanField(required=False, default=False, help_text="With its period, not now.")


class NothingSerializer(StrictSerializer):
    """No fields."""


class ChargeSerializer(serializers.ModelSerializer):
    kind = serializers.ChoiceField(ChargeKind.choices)
    amount = serializers.SerializerMethodField(help_text="Decimal text; negative: a credit.")
    how = serializers.SerializerMethodField(help_text="The arithmetic in words, in the reader's language.")
    explanation = serializers.DictField(help_text="The same as facts: plan, fee, since when, days, units of the whole.")
    invoiced = serializers.SerializerMethodField(help_text="Whether an invoice has taken it up.")

    class Meta:
        model = SubscriptionCharge
        fields = ("id", "kind", "period_start", "period_end", "amount", "currency", "due_at", "how", "explanation",
                  "invoiced", "created_at")  # fmt: skip

    def get_amount(self, charge: SubscriptionCharge) -> str:
        return amount_text(charge.amount, charge.currency)

    def get_how(self, charge: SubscriptionCharge) -> str:
        return how_words(charge)

    def get_invoiced(self, charge: SubscriptionCharge) -> bool:
        return bool(charge.claimed_by)


class PlanQuotePartSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(ChargeKind.choices)
    amount = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    how = serializers.CharField()


class PlanQuoteSerializer(serializers.Serializer):
    plan = serializers.CharField()
    currency = serializers.CharField()
    parts = PlanQuotePartSerializer(many=True)
    net = serializers.CharField(help_text="Decimal text: what the next invoice is the dearer for it.")
    expected = serializers.CharField(help_text="For the change itself, within 15 minutes.")


class ChangeView(APIView):
    @extend_schema(
        operation_id="subscriptions_change",
        parameters=[KEY],
        request=PlanChangeSerializer,
        responses={200: SubscriptionDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Change the plan, the billing cycle, or both: now, or with the next period. A repeat changes nothing.

        Now: the rest of the period is given back and charged by the site's convention. 409 `total_changed` when
        `expected` no longer fits, `needs_approval`, `no_price`, `plan_closed`, `already_subscribed`.
        """
        row, approved = _managed(request, uuid)
        order = scope.read(PlanChangeSerializer, request.data)
        plan_changes.change_plan(
            actor=scope.actor(request), subscription=row, plan=_plan(order["plan"]), approved=approved,
            cycle=order.get("cycle", ""),
            at_period_end=order["at_period_end"], expected=order["expected"],
        )  # fmt: skip
        return Response(SubscriptionDetailSerializer(row).data)


class ChangePreviewView(APIView):
    @extend_schema(
        operation_id="subscriptions_change_preview",
        request=PlanChangeSerializer,
        responses={200: PlanQuoteSerializer, **problems(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """What changing the plan now would charge and give back. Writes nothing; `expected` goes into the change."""
        row, _approved = _managed(request, uuid)
        order = scope.read(PlanChangeSerializer, request.data)
        quote = plan_changes.quote_change(subscription=row, plan=_plan(order["plan"]), cycle=order.get("cycle", ""))
        return Response(PlanQuoteSerializer(_quoted(quote)).data)


class CancelView(APIView):
    @extend_schema(
        operation_id="subscriptions_cancel",
        parameters=[KEY],
        request=CancelSerializer,
        responses={200: SubscriptionDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """End it now and for good, or with its period. A repeat changes nothing.

        Now: the rest of the period is given back by the site's convention. For your own, for those of organisations
        that you manage, and with `subscriptions.decide_subscription`.
        """
        row, _approved = _managed(request, uuid)
        order = scope.read(CancelSerializer, request.data)
        plan_changes.cancel(actor=scope.actor(request), subscription=row, **order)
        return Response(SubscriptionDetailSerializer(row).data)


class KeepView(APIView):
    @extend_schema(
        operation_id="subscriptions_keep",
        parameters=[KEY],
        request=NothingSerializer,
        responses={200: SubscriptionDetailSerializer, **problems(400, 401, 403, 404, 409, 422)},
    )
    @idempotent()
    def post(self, request: Request, uuid: UUID) -> Response:
        """Take back what was to happen with the end of the period. A repeat changes nothing."""
        row, _approved = _managed(request, uuid)
        scope.read(NothingSerializer, request.data)
        plan_changes.keep(actor=scope.actor(request), subscription=row)
        return Response(SubscriptionDetailSerializer(row).data)


class ChargesView(APIView):
    key_scopes = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="subscriptions_charges",
        parameters=[PageQuery],
        responses={200: page_of(ChargeSerializer), **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """The fees so far, the newest first, each with how it came about."""
        query = scope.read(PageQuery, request.query_params)
        rows = charges_of(scope.find_subscription(request, uuid))
        found = page(rows, by=("id",), after=query.get("cursor", ""), size=query["limit"])
        body = ChargeSerializer(found.rows, many=True).data
        return Response({"next": next_url(request._request, found.cursor), "results": body})


def amount_text(amount: Decimal, currency: str) -> str:
    return f"{amount:.{places(currency)}f}"


def _managed(request: Request, uuid: UUID) -> tuple[Subscription, bool]:
    """The subscription, and whether the reader's word counts as approval. Raises ``Http404``, ``PermissionDenied``."""
    row = scope.find_subscription(request, uuid)
    decides = scope.sees_all(request, DECIDES)
    if not decides and not manages(request.user, row):
        raise PermissionDenied
    return row, decides


def _plan(code: str) -> Plan:
    plan = Plan.objects.select_related("ai_model").filter(code=code).first()
    if plan is None:
        raise BadInput(_("There is no such plan."), field="plan")
    return plan


def _quoted(quote: PlanQuote) -> dict[str, Any]:
    parts = [
        {"kind": each.kind, "amount": amount_text(each.amount, each.currency), "period_start": each.period_start,
         "period_end": each.period_end, "how": how_words(each)}
        for each in (quote.credit, quote.charge) if each is not None
    ]  # fmt: skip
    return {"plan": quote.plan.code, "currency": quote.currency, "parts": parts,
            "net": amount_text(quote.net, quote.currency), "expected": quote.token}  # fmt: skip
