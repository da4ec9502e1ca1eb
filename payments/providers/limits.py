"""Ways to pay, and their smallest and largest amounts: the provider's own table, and ``PAYMENT_LIMITS``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise

from core.money import to_minor

Limits = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to pay at a provider, with the smallest and largest amount (minor units) it takes of each currency."""

    name: str
    label: str | Promise
    limits: Mapping[str, tuple[int, int]]  # {"THB": (1000, 99_999_999)}; a currency that is missing is not taken
    refundable: bool = True  # False: the provider cannot give this back, finance does it by hand
    comes_back: bool = True  # False: its page does not lead the payer back to us


def limits_of(provider: str, method: str, usual: Mapping[str, tuple[int, int]]) -> Limits:
    """``usual`` (minor units by currency), as the site has changed it for the provider or for one of its methods."""
    found = dict(usual)
    for name in (provider, f"{provider}.{method}"):
        for currency, (least, most) in settings.PAYMENT_LIMITS.get(name, {}).items():
            found[currency] = (to_minor(least, currency), to_minor(most, currency))
    return found
