"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.projects import leads_any


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "ORG_NAME": settings.ORG_NAME,
        "CURRENCY": settings.PAYMENT_CURRENCY,
        "PAYMENTS_ENABLED": bool(settings.PAYMENT_PROVIDER),
        "leads": lambda: request.user.is_authenticated and leads_any(request.user.get_username()),
    }
