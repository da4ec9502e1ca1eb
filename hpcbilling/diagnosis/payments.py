"""What ``doctor`` says of each way to pay: is it set up, for which money, and do its messages come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Max
from django.urls import reverse

from core.errors import AppError
from core.words.wording import moment_text
from payments import providers
from payments.models import PaymentEvent
from payments.providers.base import PaymentProvider

Line = tuple[str, str, str]  # name, level, message


def examine() -> Iterator[Line]:
    """Nothing is asked of a provider: this looks at settings and at what has come."""
    if not settings.PAYMENT_PROVIDER_NAMES:
        yield "payments", "note", "PAYMENT_PROVIDER is empty: receipts are marked paid by hand only."
    for name in settings.PAYMENT_PROVIDER_NAMES:
        yield f"payments by {name}", *_one(name)


def missing(name: str) -> list[str]:
    """Variables that the provider needs and that are not set."""
    return [needed for needed in settings.PAYMENT_PROVIDER_NEEDS.get(name, ()) if not getattr(settings, needed)]


def _one(name: str) -> tuple[str, str]:
    if name not in settings.PAYMENT_PROVIDERS:
        return "problem", f"PAYMENT_PROVIDER names {name}, which is not known."
    if absent := missing(name):
        return "problem", f"Not set up: {', '.join(absent)} is not set."
    try:
        provider = providers.provider(name)
        ways = ", ".join(method.name for method in provider.methods())
    except (AppError, ValueError) as error:
        return "problem", f"Not set up: {str(error).rstrip('.')}."
    words = f"Set up, for {'real' if provider.live else 'test'} money ({ways})."
    if name == "dummy":
        return "note", f"{words} It moves no money and works with DEBUG=1 only. {_messages(name)[1]}"
    if not _sends_messages(provider):
        return "ok", f"{words} It sends no messages: slips and bank statements say what came."
    level, about = _messages(name)
    return "ok" if provider.live and level == "ok" else "note", f"{words} {about}"


def _sends_messages(provider: PaymentProvider) -> bool:
    return type(provider).verify is not PaymentProvider.verify


def _messages(name: str) -> tuple[str, str]:
    address = f"{settings.SITE_BASE_URL}{reverse('payments:webhook_of', args=[name])}"
    words = f"Enter {address} there as the address of webhooks."
    try:
        with transaction.atomic():
            last: datetime | None = PaymentEvent.objects.filter(provider=name, signature_ok=True).aggregate(
                last=Max("received_at")
            )["last"]
    except (DatabaseError, InterfaceError):
        return "note", words
    if last is None:
        return "note", f"{words} No good message has come yet."
    return "ok", f"{words} The last good message came {moment_text(last)}."
