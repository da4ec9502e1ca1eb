"""What the API says of models, plans and subscriptions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.database.decimals import PLACES
from core.money import places, quantize
from subscriptions.fees import prices_on
from subscriptions.models import AiModel, BillingCycle, LimitWindow, Plan, PlanLimit, Subscription
from subscriptions.services import catalogue
from subscriptions.wording import act_in_words


class TokenPriceField(serializers.DecimalField):
    """Decimal text of 1,000 tokens; null where the model has no price."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=18, decimal_places=catalogue.PLACES, allow_null=True, **kwargs)


class QuantityField(serializers.DecimalField):
    """Decimal text with up to 9 places, without noughts at the end."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=40, decimal_places=PLACES, normalize_output=True, **kwargs)


class FeeField(serializers.DecimalField):
    """Decimal text, its currency beside it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=18, decimal_places=4, allow_null=True, normalize_output=True, **kwargs)


class AiModelSerializer(serializers.ModelSerializer):
    input_price_per_1k = TokenPriceField()
    output_price_per_1k = TokenPriceField()
    capabilities = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = AiModel
        fields = (
            "id", "name", "provider", "description", "capabilities", "context_length", "input_price_per_1k",
            "output_price_per_1k", "currency", "restricted", "is_active",
        )  # fmt: skip


class PlanLimitSerializer(serializers.ModelSerializer):
    limit = QuantityField(allow_null=True, help_text="null: no limit; 0: not allowed at all.")
    window = serializers.ChoiceField(LimitWindow.values)

    class Meta:
        model = PlanLimit
        fields = ("metric", "limit", "window", "is_hard")


class PlanPriceSerializer(serializers.Serializer):
    """The fee for one cycle, from a day on."""

    billing_cycle = serializers.ChoiceField(BillingCycle.values)
    amount = serializers.SerializerMethodField(help_text="Decimal text with the places of its currency.")
    currency = serializers.CharField()
    effective_from = serializers.DateField()

    def get_amount(self, row: Any) -> str:
        return str(quantize(row.amount, places(row.currency)))


class PlanSerializer(serializers.ModelSerializer):
    model = serializers.CharField(source="ai_model_id", allow_null=True, help_text="null: it is not about one model.")
    limits = PlanLimitSerializer(many=True)
    prices = serializers.SerializerMethodField(help_text="Fees in force today, by cycle and currency.")

    class Meta:
        model = Plan
        fields = (
            "code", "name", "name_th", "description", "model", "requires_approval", "trial_days", "limits", "prices",
        )  # fmt: skip

    @extend_schema_field(PlanPriceSerializer(many=True))
    def get_prices(self, plan: Plan) -> Any:
        return PlanPriceSerializer(prices_on(plan), many=True).data


class SubscriptionSerializer(serializers.ModelSerializer):
    id = serializers.UUIDField(source="uuid")
    plan = serializers.CharField(source="plan.code")
    model = serializers.CharField(source="plan.ai_model_id", allow_null=True)
    user = serializers.CharField(source="user_id", allow_null=True)
    organisation = serializers.UUIDField(source="organisation.uuid", default=None, allow_null=True)
    suspended_for = serializers.CharField(help_text="quota, payment or staff while it is suspended, else empty.")
    fee = FeeField(source="price.amount", default=None, help_text="Of the period that runs; null: none.")
    next_plan = serializers.CharField(
        source="next_plan.code", default=None, allow_null=True, help_text="Takes over with the next period."
    )

    class Meta:
        model = Subscription
        fields = (
            "id", "plan", "model", "user", "organisation", "status", "suspended_for", "billing_cycle", "currency",
            "fee", "period_start", "period_end", "next_billing_at", "cancel_at_period_end", "next_plan", "next_cycle",
            "start_at",
            "end_at", "trial_end_at", "reset_at", "created_at",
        )  # fmt: skip


class ChangeSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    action = serializers.CharField()
    text = serializers.SerializerMethodField(help_text="The act in words, in the reader's language.")
    from_status = serializers.CharField()
    to_status = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField()

    def get_text(self, change: Any) -> str:
        return act_in_words(change.action)


class SubscriptionDetailSerializer(SubscriptionSerializer):
    history = ChangeSerializer(source="changes", many=True)

    class Meta(SubscriptionSerializer.Meta):
        fields = (*SubscriptionSerializer.Meta.fields, "history")  # type: ignore[assignment]
