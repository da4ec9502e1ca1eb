"""How a provider says no, or nothing."""

from __future__ import annotations

from core.errors import AppError, Conflict, Unavailable


class ProviderError(Unavailable):
    """The provider could not be reached or answered nonsense; the outcome may be unknown. Safe to try again."""

    code = "provider_unavailable"


class Refused(Conflict):
    """The provider said no; nothing happened there."""

    code = "provider_refused"


class NotThere(Refused):
    """The provider knows no such thing: another account, or test keys where live ones were."""

    code = "not_at_provider"


class AmountNotAccepted(Refused):
    """The amount is outside what the provider takes; another method may take it."""

    code = "amount_not_accepted"


class WebhookRejected(AppError):
    """The call is not from the provider, too old, or not in its format: nothing in it is believed."""

    code = "webhook_rejected"
    http_status = 400
