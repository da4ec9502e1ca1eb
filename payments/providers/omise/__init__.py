"""Omise (Opn): PromptPay on our own page, cards on theirs."""

NEEDS = ("OMISE_SECRET_KEY", "OMISE_WEBHOOK_SECRET")
