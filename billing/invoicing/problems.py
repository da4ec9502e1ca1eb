"""What keeps a draft from being finalized, or what somebody should know of it; stored without a language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from billing.models import Quantity
from billing.selectors.pricing.exchange import MissingExchangeRate
from core.errors import Conflict

Problem = dict[str, Any]

# code -> what is the matter and what to do about it. Those that only tell do not stop the invoice.
WORDS: dict[str, str] = {
    "no_price": gettext_noop(
        "%(metric)s was used (%(amount)s %(unit)s) and has no price. Set one for this month (0 makes it free), then"
        " refresh the draft."
    ),
    "no_token_price": gettext_noop(
        "%(amount)s %(kind)s of %(metric)s have no price, while other tokens of it have. Set one for this month (0"
        " makes them free), then refresh the draft."
    ),
    "bad_price": gettext_noop(
        "The price of %(metric)s cannot be used: %(why)s. End it and set another one, then refresh the draft."
    ),
    "negative_usage": gettext_noop(
        "%(metric)s adds up to less than nothing (%(amount)s %(unit)s). Correct its events, then refresh the draft."
    ),
    "too_much": gettext_noop(
        "%(metric)s comes to %(amount)s %(currency)s, more than an invoice can hold. Correct its events or its price,"
        " then refresh the draft."
    ),
    "no_exchange_rate": gettext_noop(
        "There is no exchange rate from %(base)s to %(target)s at the end of the month. Set one, then refresh the"
        " draft."
    ),
    "no_rates": gettext_noop(
        "Jobs of %(users)s cannot be priced: %(why)s Set the rates, then refresh the draft. No job is on this draft."
    ),
    "no_cpu_time": gettext_noop(
        "%(amount)s jobs of %(project)s are left out: their source did not say what CPU time they used."
    ),
}
TELL_ONLY = frozenset({"no_cpu_time"})


class HasProblems(Conflict):
    """Something on the draft has to be settled first; see its problems."""

    code = "invoice_has_problems"


def problem(code: str, metric: str = "", **facts: object) -> Problem:
    """As ``Invoice.problems`` keeps it: the words come when it is read, in the reader's language."""
    values = {"metric": metric, **{name: str(value) for name, value in facts.items()}}
    with override("en"):
        message = _worded(WORDS[code], values)
    return {"code": code, "metric": metric, "blocks": code not in TELL_ONLY, "facts": values, "message": message}


def in_words(found: Problem) -> str:
    """What is the matter, and what to do."""
    words = WORDS.get(str(found.get("code")))
    return _worded(_(words), found.get("facts", {})) if words else str(found.get("message", ""))


def _worded(words: str, facts: Mapping[str, str]) -> str:
    return (words % _Known(facts)).replace(" )", ")")  # much of what is counted has no unit


def no_exchange_rate(error: MissingExchangeRate) -> Problem:
    return problem("no_exchange_rate", base=error.details["base"], target=error.details["target"])


def blocking(problems: Sequence[Problem]) -> list[Problem]:
    return [each for each in problems if each.get("blocks", True)]


class _Known:
    """Facts by name; what is not known stays empty."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.facts = facts

    def __getitem__(self, name: str) -> str:
        found = self.facts.get(name, "")
        return str(Quantity(found).label) if name == "kind" and found in Quantity.values else found
