"""Stripe: hosted Checkout Sessions, refunds, disputes, events."""

from .provider import Stripe

__all__ = ["Stripe"]
