"""How a receipt was paid, in words."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from core.errors import AppError
from core.registry import load

BY_HAND = "manual"  # marked by finance, or a bank transfer that finance has seen


def method_label(name: str) -> str:
    """The provider as people call it; the name alone of one that is set up no more, or of none."""
    if name == BY_HAND:
        return _("Bank or by hand")
    try:
        return str(load("PAYMENT_PROVIDERS", name).label) if name else ""
    except AppError:
        return name


def methods() -> list[tuple[str, str]]:
    """Every method that receipts may have, with its words."""
    return [(name, method_label(name)) for name in sorted({BY_HAND, *settings.PAYMENT_PROVIDERS})]
