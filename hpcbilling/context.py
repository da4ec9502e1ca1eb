"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts.menu import menu_of


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "ORG_NAME": settings.ORG_NAME,
        "CURRENCY": settings.PAYMENT_CURRENCY,
        "PAYMENTS_ENABLED": bool(settings.PAYMENT_PROVIDER),
        "menu": SimpleLazyObject(lambda: menu_of(request.user)),
    }
