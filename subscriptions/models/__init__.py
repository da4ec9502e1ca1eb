"""What a customer signed up for: plans and their limits, the AI models behind them, and who holds which."""

from subscriptions.models.ai_models import AiModel, AiModelPrice
from subscriptions.models.plans import LimitWindow, Plan, PlanLimit
from subscriptions.models.subscriptions import (
    SUBSCRIPTION_TRANSITIONS,
    BillingCycle,
    Subscription,
    SubscriptionChange,
    SubscriptionKey,
    SubscriptionStatus,
    SuspendedFor,
)

__all__ = [
    "SUBSCRIPTION_TRANSITIONS", "AiModel", "AiModelPrice", "BillingCycle", "LimitWindow", "Plan", "PlanLimit",
    "Subscription", "SubscriptionChange", "SubscriptionKey", "SubscriptionStatus", "SuspendedFor",
]  # fmt: skip
