"""Smallest and largest amounts, from the provider's own table and the setting ``PAYMENT_LIMITS``."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from core.money import to_minor

Limits = dict[str, tuple[int, int]]


def limits_of(provider: str, method: str, usual: Mapping[str, tuple[int, int]]) -> Limits:
    """``usual`` (minor units by currency), as the site has changed it for the provider or for one of its methods."""
    found = dict(usual)
    for name in (provider, f"{provider}.{method}"):
        for currency, (least, most) in settings.PAYMENT_LIMITS.get(name, {}).items():
            found[currency] = (to_minor(least, currency), to_minor(most, currency))
    return found
