"""Starting a payment: one open attempt a receipt or invoice, written down before the provider is called."""

from __future__ import annotations

import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import Invoice, Receipt
from core.context import Actor
from core.errors import BadInput, Busy, Conflict, Misconfigured
from core.money import to_minor
from core.states import transition
from payments import providers
from payments.models import OPEN_STATUSES, PAYMENT_TRANSITIONS, Payment, PaymentStatus
from payments.payables import Payable, payable, payable_of
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
    *, actor: Actor, receipt: Receipt | None = None, invoice: Invoice | None = None, amount: Decimal | None = None,
    provider_name: str = "", method_name: str = "", retry_of: Payment | None = None, reference: str = "",
) -> Payment:  # fmt: skip
    """Open (or find again) the checkout of a receipt or an invoice by one way to pay; the usual one when none is named.
    ``amount``: a part of what is due for an invoice; all of it when none is given. ``reference`` is the attempt's
    idempotency key, 32 hexadecimal digits: what was begun under it before comes back as it is.

    Raises ``NotPayable`` when it is paid, void or asks for nothing, ``BadInput`` for an amount or way that there is
    not, ``AmountNotAccepted`` when this way does not take the amount, ``Misconfigured`` when online payment is off,
    ``StillAsking`` when another request is at it, ``ProviderError`` when the provider cannot be reached: the attempt
    stays open, its outcome unknown, and a repeat asks again under the same idempotency key.
    """
    document = receipt or invoice
    if document is None:
        raise ValueError("start_payment needs a receipt or an invoice")
    target = payable(document)
    known = target.payments().filter(idempotency_key=reference).first() if reference else None
    if known is not None:
        waits = known.status in OPEN_STATUSES and not known.external_payment_id
        return _open(actor, known, providers.provider(known.provider)) if waits else known
    provider, method = chosen(provider_name, method_name)
    target.refresh()  # what is due of an invoice moves
    wanted = _Wanted(provider, method, amount, _checked(target, provider, method, amount), retry_of, reference)
    _end_other_ways(actor, target, wanted)
    payment = _claim_attempt(actor, target, wanted)
    if payment.external_payment_id:
        return payment
    return _open(actor, payment, provider)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The attempt that is asked for; ``asked`` is the part that was named, ``amount`` what that comes to."""

    provider: PaymentProvider
    method: Method
    asked: Decimal | None
    amount: Decimal
    retry_of: Payment | None
    reference: str


def chosen(provider_name: str, method_name: str) -> tuple[PaymentProvider, Method]:
    """The way to pay with these names; empty names are the first there is. Raises ``BadInput`` for others."""
    if provider_name and provider_name not in settings.PAYMENT_PROVIDER_NAMES:
        raise BadInput(_("There is no such way to pay."), field="way")
    provider = providers.provider(provider_name) if provider_name else providers.current()
    for method in provider.methods():
        if method_name in ("", method.name):
            return provider, method
    raise BadInput(_("There is no such way to pay."), field="way")


def _checked(target: Payable, provider: PaymentProvider, method: Method, wanted: Decimal | None) -> Decimal:
    """What the payment is about: all that is due, or the wanted part of it."""
    names = {"document": target.name, "status": target.standing}
    if target.is_test:
        raise NotPayable(_("%(document)s is a test; no money is asked for.") % names)
    if not target.waits:
        raise NotPayable(_("%(document)s is %(status)s; there is nothing to pay.") % names)
    if target.due <= 0:
        raise NotPayable(_("%(document)s asks for nothing; there is nothing to pay.") % names)
    amount = target.amount(wanted)
    if words := outside_limits(method, to_minor(amount, target.currency), target.currency):
        raise AmountNotAccepted(words)
    return amount


def _end_other_ways(actor: Actor, target: Payable, wanted: _Wanted) -> None:
    """An open attempt by another way is closed at its provider first, so that two can never both be paid.

    So is one about another amount. One by this very way is looked up: it may be paid or expired by now.
    """
    provider, attempt = wanted.provider, target.payments().filter(status__in=OPEN_STATUSES).first()
    if attempt is None:
        return
    if (attempt.provider, attempt.method, attempt.live) != (provider.name, wanted.method.name, provider.live):
        end_attempt(actor=actor, payment=attempt, why="another way to pay was chosen")
    elif attempt.amount != wanted.amount:
        end_attempt(actor=actor, payment=attempt, why="another amount was chosen")
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
            raise NotPayable(_("A payment is on its way. Please wait until it has arrived or failed."))
        _cancel_here(actor, payment, why)
    if payment.status not in (PaymentStatus.CANCELED, PaymentStatus.FAILED):
        names = {"document": payable_of(payment).name, "status": payment.get_status_display()}
        raise NotPayable(_("A payment for %(document)s is %(status)s already.") % names)
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
    payable_of(payment).locked()
    payment.refresh_from_db()
    if payment.status not in OPEN_STATUSES:
        return
    before = payment.status
    transition(payment, PaymentStatus.CANCELED, table=PAYMENT_TRANSITIONS, updated_at=timezone.now(), failure=why[:255])
    record_move(actor, payment, before, why=why)


@transaction.atomic
def _claim_attempt(actor: Actor, target: Payable, wanted: _Wanted) -> Payment:
    held, provider, method, retry_of = target.locked(), wanted.provider, wanted.method, wanted.retry_of
    amount = _checked(held, provider, method, wanted.asked)
    if held.payments().filter(status=PaymentStatus.NEEDS_REVIEW).exists():
        words = _("A payment for %(document)s is being looked at; please do not pay again.")
        raise NotPayable(words % {"document": held.name})
    attempt = held.payments().select_for_update(of=("self",)).filter(status__in=OPEN_STATUSES).first()
    if attempt is not None:
        same = (attempt.provider, attempt.method, attempt.amount) == (provider.name, method.name, amount)
        if not same:  # begun by another request meanwhile
            raise StillAsking(_("Another payment was begun a moment ago. Please look again."))
        return attempt
    held.payments().filter(next_retry_at__isnull=False).update(next_retry_at=None)
    attempt = Payment.objects.create(
        **held.fields, user=held.payer(actor, retry_of), provider=provider.name, method=method.name,
        live=provider.live, currency=held.currency, amount_cents=to_minor(amount, held.currency),
        idempotency_key=wanted.reference or uuid.uuid4().hex, retry_of=retry_of,
        retry_count=retry_of.retry_count + 1 if retry_of else 0,
        max_retries=retry_of.max_retries if retry_of else retries_at_most(),
    )  # fmt: skip
    audit.record(
        actor=actor, action="payment_start", target=str(attempt.pk), entity=attempt,
        extra={**held.facts, "provider": provider.name, "method": method.name, "amount": amount,
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
    target = payable_of(payment)
    return CheckoutRequest(
        reference=payment.idempotency_key,
        method=payment.method,
        amount_minor=payment.amount_cents,
        currency=payment.currency,
        description=f"{settings.ORG_NAME} {target}",
        success_url=f"{settings.SITE_BASE_URL}{target.page_after}",
        cancel_url=f"{settings.SITE_BASE_URL}{target.url}",
        language=get_language() or settings.LANGUAGE_CODE,
        asked_before=asked_before,
    )
