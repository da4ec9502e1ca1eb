"""Providers by name, from the setting ``PAYMENT_PROVIDERS``."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from core.errors import Misconfigured
from core.registry import load
from payments.providers.base import PaymentProvider


def provider(name: str) -> PaymentProvider:
    """The provider called ``name``. Raises ``Misconfigured`` when it is unknown or not set up."""
    made: PaymentProvider = load("PAYMENT_PROVIDERS", name)()
    return made


def current() -> PaymentProvider:
    """The usual provider. Raises ``Misconfigured`` when online payment is off."""
    if not settings.PAYMENT_PROVIDER:
        raise Misconfigured("Online payment is off: PAYMENT_PROVIDER is not set.")
    return provider(settings.PAYMENT_PROVIDER)


def in_use() -> list[str]:
    """Names of those that payers may choose, and of those whose payments may still move, whatever is chosen now."""
    from payments.selectors import moving

    used = moving(timezone.now()).values_list("provider", flat=True).order_by("provider").distinct()
    names = dict.fromkeys([*settings.PAYMENT_PROVIDER_NAMES, *used])
    return [name for name in names if name in settings.PAYMENT_PROVIDERS]
