"""What ``manage.py check`` says about the ways to pay. Settings refuse to start without what a provider needs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from babel.numbers import list_currencies
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from core.errors import AppError
from core.money import places
from hpcbilling.diagnosis import payments
from hpcbilling.unsafe import OFFICIAL, TEST_KEYS
from payments import providers
from payments.providers.limits import Method


def always() -> Iterator[CheckMessage]:
    """Names and words that can be judged anywhere."""
    yield from _names()
    yield from _limits()
    yield from _currency()


def production() -> Iterator[CheckMessage]:
    """What may be so on a desk, and not where real people pay."""
    yield from _enabled()
    for variable, address in OFFICIAL.items():
        if getattr(settings, variable).rstrip("/") != address:
            hint = f"Leave it out, or set {address}: keys and money go to this address."
            yield Error(f"{variable} is not the provider's own address.", hint=hint, id="hpcbilling.E012")
    for variable, beginnings in TEST_KEYS.items():
        if getattr(settings, variable).startswith(beginnings):
            hint = "Payers see it succeed, and no money comes. Take the live key."
            yield Warning(f"{variable} is a key for test money.", hint=hint, id="hpcbilling.W013")


def _enabled() -> Iterator[CheckMessage]:
    names = settings.PAYMENT_PROVIDER_NAMES
    if "dummy" in names:
        yield Error("PAYMENT_PROVIDER=dummy moves no money.", hint="Name a real provider.", id="hpcbilling.E004")
    for name in names:
        for needed in payments.missing(name):
            hint = f"PAYMENT_PROVIDER names {name}, which needs it."
            yield Error(f"{needed} is not set.", hint=hint, id="hpcbilling.E011")
    if names and not settings.SITE_BASE_URL.startswith("https://"):
        hint = "Providers lead payers back to this address and send their messages there; both need TLS."
        yield Error("Payments are on, and SITE_BASE_URL is not https.", hint=hint, id="hpcbilling.E016")


def _names() -> Iterator[CheckMessage]:
    known = ", ".join(sorted(settings.PAYMENT_PROVIDERS))
    for name in settings.PAYMENT_PROVIDER_NAMES:
        if name not in settings.PAYMENT_PROVIDERS:
            words = f"PAYMENT_PROVIDER names {name}, which is not known."
            yield Error(words, hint=f"Use some of: {known}.", id="hpcbilling.E007")


def _limits() -> Iterator[CheckMessage]:
    for where, currencies in settings.PAYMENT_LIMITS.items():
        name, _dot, method = where.partition(".")
        trouble = _unknown(name, method)
        if trouble:
            yield _bad_limit(f"{where}: {trouble}")
        for currency, bounds in currencies.items():
            if currency not in list_currencies():
                yield _bad_limit(f"{where}: {currency} is no currency")
            elif _has_more_places(bounds, currency):
                yield _bad_limit(f"{where}: {currency} has {places(currency)} decimal places")


def _unknown(name: str, method: str) -> str:
    if name not in settings.PAYMENT_PROVIDERS:
        return f"there is no provider {name}"
    known = [each.name for each in _methods(name)]
    if method and known and method not in known:
        return f"{name} has no method {method} here, it has {', '.join(known)}"
    return ""


def _has_more_places(bounds: tuple[Decimal, Decimal], currency: str) -> bool:
    return any(bound.scaleb(places(currency)) % 1 for bound in bounds)


def _bad_limit(words: str) -> CheckMessage:
    hint = "Write provider or provider.method, currency, least, most: omise.promptpay:THB:20:150000."
    return Error(f"PAYMENT_LIMITS: {words}.", hint=hint, id="hpcbilling.E014")


def _methods(name: str) -> tuple[Method, ...]:
    """Ways to pay of a provider that is set up; none when it is not, or when its limits cannot be used."""
    try:
        return providers.provider(name).methods()
    except (AppError, ValueError):
        return ()


def _currency() -> Iterator[CheckMessage]:
    found = [_methods(name) for name in settings.PAYMENT_PROVIDER_NAMES if name in settings.PAYMENT_PROVIDERS]
    methods = [method for of_one in found for method in of_one]
    if methods and not any(settings.PAYMENT_CURRENCY in method.limits for method in methods):
        yield Warning(
            f"No way to pay takes PAYMENT_CURRENCY={settings.PAYMENT_CURRENCY}.",
            hint="Name a provider that does, or set its limits in PAYMENT_LIMITS.",
            id="hpcbilling.W015",
        )
