"""Bank transfer: the payer sends money, finance sees it arrive."""

NEEDS = ("ORG_BANK_NAME", "ORG_BANK_ACCOUNT")
