"""Stripe: hosted Checkout with cards and PromptPay."""

NEEDS = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")
