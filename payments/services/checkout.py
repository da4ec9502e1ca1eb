"""Starting a payment: one open attempt a receipt, written down before the provider is called."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import Receipt, ReceiptStatus
from core.context import Actor
from core.errors import Conflict
from core.money import to_minor
from core.states import transition
from payments import providers
from payments.models import OPEN_STATUSES, PAYMENT_TRANSITIONS, Payment, PaymentStatus
from payments.providers.base import CheckoutRequest, PaymentProvider


class NotPayable(Conflict):
    code = "not_payable"


def start_payment(*, actor: Actor, receipt: Receipt) -> Payment:
    """Open (or find again) the checkout of ``receipt``; the payer goes to ``payment.checkout_url``.

    Raises ``NotPayable`` when the receipt is paid, void or asks for nothing,
    ``Misconfigured`` when online payment is off, ``ProviderError`` when the
    provider cannot be reached: the attempt stays open and a repeat asks again
    under the same idempotency key.
    """
    provider = providers.current()
    payment = _claim_attempt(actor, receipt, provider)
    if payment.checkout_url:
        return payment
    checkout = provider.create_checkout(_request(payment, receipt))
    Payment.objects.filter(pk=payment.pk, external_payment_id="").update(
        external_payment_id=checkout.external_payment_id, checkout_url=checkout.url
    )
    payment.refresh_from_db()
    return payment


@transaction.atomic
def _claim_attempt(actor: Actor, receipt: Receipt, provider: PaymentProvider) -> Payment:
    held = Receipt.objects.select_for_update().get(pk=receipt.pk)
    if held.status != ReceiptStatus.PENDING:
        raise NotPayable(_("Receipt %(receipt)s is %(status)s; there is nothing to pay.")
                         % {"receipt": held, "status": held.get_status_display()})  # fmt: skip
    if held.total <= 0:
        raise NotPayable(_("Receipt %(receipt)s asks for nothing; there is nothing to pay.") % {"receipt": held})
    if Payment.objects.filter(receipt=held, status=PaymentStatus.NEEDS_REVIEW).exists():
        raise NotPayable(_("A payment for receipt %(receipt)s is being looked at; please do not pay again.")
                         % {"receipt": held})  # fmt: skip
    attempt = Payment.objects.select_for_update().filter(receipt=held, status__in=OPEN_STATUSES).first()
    if attempt is not None and attempt.provider == provider.name:
        return attempt
    if attempt is not None:  # the site changed its provider meanwhile
        transition(attempt, PaymentStatus.CANCELED, table=PAYMENT_TRANSITIONS)
    attempt = Payment.objects.create(
        receipt=held, user=held.user, provider=provider.name, currency=held.currency,
        amount_cents=to_minor(held.total, held.currency), idempotency_key=uuid.uuid4().hex,
    )  # fmt: skip
    audit.record(
        actor=actor, action="payment_start", target=str(attempt.pk), entity=attempt,
        extra={"receipt": held.pk, "provider": provider.name, "amount": held.total, "currency": held.currency},
    )  # fmt: skip
    return attempt


def _request(payment: Payment, receipt: Receipt) -> CheckoutRequest:
    thanks = f"{settings.SITE_BASE_URL}{reverse('payments:thanks')}?rid={receipt.pk}"
    return CheckoutRequest(
        reference=payment.idempotency_key,
        amount_minor=payment.amount_cents,
        currency=payment.currency,
        description=f"{settings.ORG_NAME} {receipt}",
        success_url=thanks,
        cancel_url=f"{settings.SITE_BASE_URL}{receipt.get_absolute_url()}",
        language=get_language() or settings.LANGUAGE_CODE,
    )
