"""The catalogue, the plans and the subscriptions in the console."""

from subscriptions.admin import ai_models, plans, prices, subscriptions

__all__ = ["ai_models", "plans", "prices", "subscriptions"]
