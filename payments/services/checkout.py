"""Starting a payment: one open attempt a receipt, written down before the provider is called."""

from __future__ import annotations

import re
import time
import uuid
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import Receipt, ReceiptStatus
from core.context import Actor
from core.errors import BadInput, Busy, Conflict, Misconfigured
from core.money import to_minor
from core.states import transition
from payments import providers
from payments.models import OPEN_STATUSES, PAYMENT_TRANSITIONS, Payment, PaymentStatus
from payments.providers.base import Checkout, CheckoutRequest, PaymentProvider
from payments.providers.errors import AmountNotAccepted, ProviderError, Refused
from payments.providers.limits import Method
from payments.selectors import outside_limits, ref_of
from payments.services.schedule import retries_at_most
from payments.services.settlement import record_move
from payments.services.sync import sync_payment

# No other scheme, and nothing that a policy of the page could trip over.
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.\-]+(:[0-9]{1,5})?(/[^\s<>\"]*)?")
LEASE = timedelta(seconds=30)  # longer than any outside call may take
LOOKS, PAUSE = 15, 0.2  # how often, and after how many seconds, a second request looks for the first one's answer
SURELY_LOST = timedelta(minutes=10)  # after this, a checkout that the provider does not know was never made


class NotPayable(Conflict):
    code = "not_payable"


class StillAsking(Busy):
    """Another request is asking the provider for this very checkout."""

    code = "still_asking"
    http_status = 409


def start_payment(
    *, actor: Actor, receipt: Receipt, provider_name: str = "", method_name: str = "", retry_of: Payment | None = None
) -> Payment:
    """Open (or find again) the checkout of ``receipt`` by one way to pay; the usual one when none is named.

    Raises ``NotPayable`` when the receipt is paid, void or asks for nothing, ``AmountNotAccepted`` when this
    way does not take the amount, ``Misconfigured`` when online payment is off, ``StillAsking`` when another
    request is at it, ``ProviderError`` when the provider cannot be reached: the attempt stays open, its outcome
    unknown, and a repeat asks again under the same idempotency key.
    """
    provider, method = chosen(provider_name, method_name)
    _check_amount(receipt, provider, method)
    _end_other_ways(actor, receipt, provider, method)
    payment = _claim_attempt(actor, receipt, provider, method, retry_of)
    if payment.external_payment_id:
        return payment
    return _open(actor, payment, provider)


def chosen(provider_name: str, method_name: str) -> tuple[PaymentProvider, Method]:
    """The way to pay with these names; empty names are the first there is. Raises ``BadInput`` for others."""
    if provider_name and provider_name not in settings.PAYMENT_PROVIDER_NAMES:
        raise BadInput(_("There is no such way to pay."), field="provider")
    provider = providers.provider(provider_name) if provider_name else providers.current()
    for method in provider.methods():
        if method_name in ("", method.name):
            return provider, method
    raise BadInput(_("There is no such way to pay."), field="method")


def _check_amount(receipt: Receipt, provider: PaymentProvider, method: Method) -> None:
    if receipt.status != ReceiptStatus.PENDING:
        raise NotPayable(_("Receipt %(receipt)s is %(status)s; there is nothing to pay.")
                         % {"receipt": receipt, "status": receipt.get_status_display()})  # fmt: skip
    if receipt.total <= 0:
        raise NotPayable(_("Receipt %(receipt)s asks for nothing; there is nothing to pay.") % {"receipt": receipt})
    if words := outside_limits(method, to_minor(receipt.total, receipt.currency), receipt.currency):
        raise AmountNotAccepted(words)


def _end_other_ways(actor: Actor, receipt: Receipt, provider: PaymentProvider, method: Method) -> None:
    """An open attempt by another way is closed at its provider first, so that two can never both be paid.

    One by this very way is looked up: it may be paid or expired by now.
    """
    attempt = Payment.objects.filter(receipt=receipt, status__in=OPEN_STATUSES).first()
    if attempt is None:
        return
    if (attempt.provider, attempt.method, attempt.live) != (provider.name, method.name, provider.live):
        end_attempt(actor=actor, payment=attempt, why="another way to pay was chosen")
    elif attempt.external_payment_id:
        with suppress(ProviderError):  # the checkout that we know of is still the one to use
            if not sync_payment(attempt).found and provider.fetches:  # another account, or test keys until now
                end_attempt(actor=actor, payment=attempt, why="the provider has no record of it")


def end_attempt(*, actor: Actor, payment: Payment, why: str) -> Payment:
    """Close an open attempt at its provider and here. Money that comes all the same waits for review.

    Raises ``StillAsking`` while nobody knows whether its checkout exists, ``NotPayable`` when it was paid
    meanwhile, or when its money is on the way and cannot be stopped any more.
    """
    try:
        payment, closed = _close_there(payment)
    except Misconfigured:  # its keys are gone: nobody can ask, and the payer must not wait for ever
        closed = True
    if payment.status in OPEN_STATUSES:
        if not closed:
            raise NotPayable(_("A payment for this receipt is on its way. Please wait until it has arrived or failed."))
        _cancel_here(actor, payment, why)
    if payment.status not in (PaymentStatus.CANCELED, PaymentStatus.FAILED):
        raise NotPayable(
            _("A payment for this receipt is %(status)s already.") % {"status": payment.get_status_display()}
        )
    return payment


def _close_there(payment: Payment) -> tuple[Payment, bool]:
    """Ask the provider to close it. The payment as it is then, and whether no money can come by it unasked."""
    if payment.outcome_unknown:
        payment = sync_payment(payment).payment
        if payment.outcome_unknown and payment.asked_at and timezone.now() - payment.asked_at < SURELY_LOST:
            raise StillAsking(_("The payment service has not answered yet. Please try again in a few minutes."))
    if payment.status not in OPEN_STATUSES or not payment.external_payment_id:
        return payment, True
    provider = providers.provider(payment.provider)
    closed = provider.cancel(ref_of(payment)) or not provider.captures
    synced = sync_payment(payment)
    return synced.payment, closed or (provider.fetches and not synced.found)


@transaction.atomic
def _cancel_here(actor: Actor, payment: Payment, why: str) -> None:
    Receipt.objects.select_for_update().get(pk=payment.receipt_id)
    payment.refresh_from_db()
    if payment.status not in OPEN_STATUSES:
        return
    before = payment.status
    transition(payment, PaymentStatus.CANCELED, table=PAYMENT_TRANSITIONS, updated_at=timezone.now(), failure=why[:255])
    record_move(actor, payment, before, why=why)


@transaction.atomic
def _claim_attempt(
    actor: Actor, receipt: Receipt, provider: PaymentProvider, method: Method, retry_of: Payment | None
) -> Payment:
    held = Receipt.objects.select_for_update().get(pk=receipt.pk)
    _check_amount(held, provider, method)
    if Payment.objects.filter(receipt=held, status=PaymentStatus.NEEDS_REVIEW).exists():
        raise NotPayable(_("A payment for receipt %(receipt)s is being looked at; please do not pay again.")
                         % {"receipt": held})  # fmt: skip
    attempt = Payment.objects.select_for_update().filter(receipt=held, status__in=OPEN_STATUSES).first()
    if attempt is not None:
        if (attempt.provider, attempt.method) != (provider.name, method.name):  # begun by another request meanwhile
            raise StillAsking(_("Another payment for this receipt was begun a moment ago. Please look again."))
        return attempt
    Payment.objects.filter(receipt=held, next_retry_at__isnull=False).update(next_retry_at=None)
    attempt = Payment.objects.create(
        receipt=held, user=held.user, provider=provider.name, method=method.name, live=provider.live,
        currency=held.currency, amount_cents=to_minor(held.total, held.currency), idempotency_key=uuid.uuid4().hex,
        retry_of=retry_of, retry_count=retry_of.retry_count + 1 if retry_of else 0,
        max_retries=retry_of.max_retries if retry_of else retries_at_most(),
    )  # fmt: skip
    audit.record(
        actor=actor, action="payment_start", target=str(attempt.pk), entity=attempt,
        extra={"receipt": held.pk, "provider": provider.name, "method": method.name, "amount": held.total,
               "currency": held.currency, **({"retry_of": retry_of.pk} if retry_of else {})},
    )  # fmt: skip
    return attempt


def _open(actor: Actor, payment: Payment, provider: PaymentProvider) -> Payment:
    """Ask for the checkout, one request at a time; what the provider refuses for good ends the attempt."""
    now, asked_before = timezone.now(), payment.asked_at is not None
    free = Q(asked_at__isnull=True) | Q(asked_at__lt=now - LEASE)
    mine = Payment.objects.filter(free, pk=payment.pk, external_payment_id="", status__in=OPEN_STATUSES)
    if not mine.update(asked_at=now):
        if _answered(payment):
            return payment
        raise StillAsking(_("The payment service has not answered yet. Please try again in a minute."))
    try:
        checkout = provider.create_checkout(_request(payment, asked_before))
    except Refused as error:
        _cancel_here(actor, payment, error.message)
        raise
    _keep(payment, checkout)
    payment.refresh_from_db()
    return payment


def _answered(payment: Payment) -> bool:
    """Wait a little for the request that is asking; a second click then goes the same way as the first."""
    for _look in range(LOOKS):
        payment.refresh_from_db()
        if payment.external_payment_id:
            return True
        time.sleep(PAUSE)
    return False


def _keep(payment: Payment, checkout: Checkout) -> None:
    """A call that overtook us may have told the id already; the address to pay at is known here alone."""
    if checkout.url and not _ADDRESS.fullmatch(checkout.url):
        raise ProviderError("The payment provider's answer has no address to pay at.")
    rows = Payment.objects.filter(pk=payment.pk, external_payment_id__in=("", checkout.external_payment_id))
    rows.update(
        external_payment_id=checkout.external_payment_id, checkout_url=checkout.url, checkout_form=dict(checkout.form),
        qr_svg=checkout.qr_svg, expires_at=checkout.expires_at,
    )  # fmt: skip


def _request(payment: Payment, asked_before: bool) -> CheckoutRequest:
    thanks = f"{settings.SITE_BASE_URL}{reverse('payments:thanks')}?rid={payment.receipt_id}"
    return CheckoutRequest(
        reference=payment.idempotency_key,
        method=payment.method,
        amount_minor=payment.amount_cents,
        currency=payment.currency,
        description=f"{settings.ORG_NAME} {payment.receipt}",
        success_url=thanks,
        cancel_url=f"{settings.SITE_BASE_URL}{payment.receipt.get_absolute_url()}",
        language=get_language() or settings.LANGUAGE_CODE,
        asked_before=asked_before,
    )
