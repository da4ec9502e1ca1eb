"""What a customer signed up for: plans and their limits, the AI models behind them, and who holds which."""

from subscriptions.models.ai_models import AiModel, AiModelPrice
from subscriptions.models.plans import LimitWindow, Plan, PlanLimit
from subscriptions.models.prices import PlanPrice
from subscriptions.models.subscriptions import (
    ENDED,
    LIVE,
    SUBSCRIPTION_TRANSITIONS,
    USABLE,
    BillingCycle,
    Subscription,
    SubscriptionChange,
    SubscriptionKey,
    SubscriptionStatus,
    SuspendedFor,
)

__all__ = [
    "ENDED",
    "LIVE",
    "SUBSCRIPTION_TRANSITIONS",
    "USABLE",
    "AiModel",
    "AiModelPrice",
    "BillingCycle",

    "LimitWindow",
    "Plan",
    "PlanLimit",
    "PlanPrice",
    "Subscription",
    "SubscriptionChange",

    "SubscriptionKey",
    "SubscriptionStatus",
    "SuspendedFor",
]  # fmt: skip
