"""What was written down of payments, read in the language of the reader.

Why a record did what it did is kept as a few English words, the same in every release and in every log. Here they are
read back: a text is held against what this app writes, and what it says is said again. Words of a provider stay theirs.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from django.utils.translation import gettext, gettext_noop

from billing.models import InvoiceStatus, ReceiptStatus
from core.money import places
from core.words.wording import NARROW_SPACE, currency_sign, decimal_text
from payments.models import PaymentStatus

AMOUNT = gettext_noop("amount: expected %(ours)s, got %(theirs)s")
REFUND = gettext_noop("refund %(refund)s: asked for %(ours)s, the provider has %(theirs)s")
CURRENCY = gettext_noop("currency: expected %(ours)s, got %(theirs)s")
# What ``settlement``, ``returns``, ``sync`` and ``webhooks`` write, why an attempt was ended, and why a call was not
# believed.
TEXTS = (
    gettext_noop("paid"),
    gettext_noop("already paid"),
    gettext_noop("still open"),
    gettext_noop("authorised"),
    gettext_noop("failed"),
    gettext_noop("canceled"),
    gettext_noop("the provider has no record of it"),
    gettext_noop("another way to pay was chosen"),
    gettext_noop("another amount was chosen"),
    gettext_noop("a bank transfer for the receipt was accepted"),
    gettext_noop("a bank transfer for the invoice was accepted"),
    gettext_noop("the receipt is %(receipt)s"),
    gettext_noop("the invoice is %(invoice)s"),
    gettext_noop("the payment is %(payment)s already"),
    gettext_noop("finance has decided about this payment"),
    gettext_noop("money arrived for a receipt that is %(receipt)s"),
    gettext_noop("money arrived for an invoice that is %(invoice)s"),
    gettext_noop("more than was asked: the rest is a credit"),
    gettext_noop("authorised, but the receipt does not wait for it: not captured, it goes back to the payer"),
    gettext_noop("authorised, but the invoice does not wait for it: not captured, it goes back to the payer"),
    gettext_noop("reference: expected %(ours)s, got %(theirs)s"),
    gettext_noop("mode: expected %(ours)s, got %(theirs)s"),
    gettext_noop("id: expected %(ours)s, got %(theirs)s"),
    gettext_noop("charge: expected %(ours)s, got %(theirs)s"),
    AMOUNT,
    CURRENCY,
    REFUND,
    gettext_noop("refund %(refund)s would give back more than came in"),
    gettext_noop("an event of no interest"),
    gettext_noop("no payment of ours has this id"),
    gettext_noop("kept, to be worked on again"),
    gettext_noop("somebody else is at it"),
    gettext_noop("the signature is missing or wrong"),
    gettext_noop("the signature has no time"),
    gettext_noop("the signature is too old or from the future"),
    gettext_noop("the call is too old or from the future"),
    gettext_noop("the body is not JSON of this provider"),
    gettext_noop("the body is not an event of this provider"),
    gettext_noop("the body holds an id that is too long or not printable"),
    gettext_noop("the body is nested too deeply"),
    gettext_noop("an amount is no whole number of minor units"),
    gettext_noop("an amount is larger than any that we can hold"),
    gettext_noop("a moment is outside the calendar"),
    gettext_noop("the event's id is missing, too long or not printable"),
    gettext_noop("the id is not printable"),
    gettext_noop("this provider posts nothing back"),
    gettext_noop("this provider sends no calls"),
)
_STATES = {"receipt": ReceiptStatus, "invoice": InvoiceStatus, "payment": PaymentStatus}
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_NAME = re.compile(r"%\((\w+)\)s")


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    found = []
    for text in TEXTS:
        parts = _NAME.split(text)  # words, name, words, name, words
        shape = "".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
        found.append((re.compile(shape), text))
    return tuple(found)


def in_words(detail: str, currency: str = "") -> str:
    """``detail`` as it was written, in the active language; several are joined by semicolons.

    ``currency``: of the payment it is about. Sums are in it, unless the detail is that the currencies differ.
    """
    parts = [(part, *_read(part)) for part in detail.split("; ")]
    if any(text == CURRENCY for _part, text, _values in parts):
        currency = ""
    return "; ".join(_said(text, values, currency) if text else part for part, text, values in parts)


def _read(part: str) -> tuple[str, dict[str, str]]:
    """Which text it is, and the values in it; no text where the words are those of others."""
    for pattern, text in _patterns():
        if match := pattern.fullmatch(part):
            return text, match.groupdict()
    return "", {}


def _said(text: str, values: dict[str, str], currency: str) -> str:
    if not values:
        return gettext(text)
    sums = {"ours", "theirs"} if text in (AMOUNT, REFUND) else set()
    return gettext(text) % {
        name: _sum(value, currency) if name in sums else _state(name, value) for name, value in values.items()
    }


def _sum(value: str, currency: str) -> str:
    """As it was written, grouped; never rounded, for what differs by little must look different."""
    if not _NUMBER.fullmatch(value):
        return value
    written = len(value.partition(".")[2])
    if not currency:
        return decimal_text(Decimal(value), written)
    least = places(currency)
    return f"{currency_sign(currency)}{NARROW_SPACE}{decimal_text(Decimal(value), least, max(least, written))}"


def _state(name: str, value: str) -> str:
    states = _STATES.get(name)
    return str(states(value).label) if states and value in states.values else value
