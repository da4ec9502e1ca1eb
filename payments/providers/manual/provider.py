"""Bank transfers to the account of ``ORG_BANK_*``. No outside call: slips and statements tell what came in
(``payments.services.transfers``), and finance sends refunds itself."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.errors import Misconfigured
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider, Ref
from payments.providers.limits import Method, limits_of
from payments.providers.values import MOST_MINOR


class ManualProvider(PaymentProvider):
    name: ClassVar[str] = "manual"
    label = _("Bank")
    takes_excess: ClassVar[bool] = True
    fetches: ClassVar[bool] = False
    live = True

    def __init__(self) -> None:
        for setting in ("ORG_BANK_NAME", "ORG_BANK_ACCOUNT"):
            if not getattr(settings, setting):
                raise Misconfigured(f"{setting} is not set; payers would not know where to transfer to.")

    def methods(self) -> tuple[Method, ...]:
        usual = {settings.PAYMENT_CURRENCY: (1, MOST_MINOR)}
        return (Method("transfer", _("Bank transfer"), limits_of(self.name, "transfer", usual), refundable=False),)

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        return Checkout(f"transfer_{request.reference}")

    def cancel(self, ref: Ref) -> bool:
        """Nobody can be kept from transferring; what arrives later waits for review."""
        return True
