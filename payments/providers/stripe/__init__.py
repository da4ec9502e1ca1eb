"""Stripe: hosted Checkout with cards and PromptPay."""
