"""Providers by name, from the setting ``PAYMENT_PROVIDERS``."""

from __future__ import annotations

from django.conf import settings

from core.errors import Misconfigured
from core.registry import load
from payments.providers.base import PaymentProvider


def provider(name: str) -> PaymentProvider:
    """The provider called ``name``. Raises ``Misconfigured`` when it is unknown or not set up."""
    made: PaymentProvider = load("PAYMENT_PROVIDERS", name)()
    return made


def current() -> PaymentProvider:
    """The configured provider. Raises ``Misconfigured`` when online payment is off."""
    if not settings.PAYMENT_PROVIDER:
        raise Misconfigured("Online payment is off: PAYMENT_PROVIDER is not set.")
    return provider(settings.PAYMENT_PROVIDER)
