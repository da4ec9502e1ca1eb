"""Bank transfer: the payer sends money, finance sees it arrive."""
