"""Omise (Opn): PromptPay on our own page, cards on theirs."""
