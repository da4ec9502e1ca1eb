"""What of payments needs somebody: nothing is counted here, that is one statement for all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from hpcbilling.findings import Finding, list_url
from payments import attention
from payments.models import Dispute, DisputeStatus, Payment, PaymentEvent, PaymentStatus, ReconciliationDay, Refund

Viewer = User | AnonymousUser


def payment_findings(viewer: Viewer, now: datetime) -> Iterator[Finding]:
    """Each part only to those who may open the list behind it."""
    if viewer.has_perm("payments.view_payment"):
        yield from _payments()
    if viewer.has_perm("payments.view_refund"):
        yield from _refunds(now)
    if viewer.has_perm("payments.view_dispute"):
        yield _disputes()
    if viewer.has_perm("payments.view_reconciliationday"):
        yield _days(now)
    if viewer.has_perm("payments.view_paymentevent"):
        yield from _messages(now)


def _payments() -> Iterator[Finding]:
    yield Finding(
        Payment.objects.filter(status=PaymentStatus.NEEDS_REVIEW),
        _("payments need review"),
        _("Money arrived that does not fit what it was for. Compare amount and reference, then decide."),
        list_url(Payment, status__exact=PaymentStatus.NEEDS_REVIEW),
        "bad",
    )
    yield Finding(
        Payment.objects.filter(attention.given_up()),
        _("payments given up"),
        _("They failed, and nobody tries again. Ask the payer, or try again by hand."),
        list_url(Payment, need="given_up"),
    )
    yield Finding(
        Payment.objects.filter(attention.credits()),
        _("payments hold money beyond their bill"),
        _("Too much came, or it came for nothing. Give it back."),
        list_url(Payment, need="credit"),
    )


def _refunds(now: datetime) -> Iterator[Finding]:
    yield Finding(
        Refund.objects.filter(attention.to_send()),
        _("refunds to send by hand"),
        _("The provider cannot give this money back. Send it by bank, then enter the reference."),
        list_url(Refund, need="to_send"),
    )
    yield Finding(
        Refund.objects.filter(attention.refund_trouble(now)),
        _("refunds need review, or failed in 30 days"),
        _("The money did not go back, or more went back than came in. Compare with the provider's record."),
        list_url(Refund, need="trouble"),
        "bad",
    )


def _disputes() -> Finding:
    return Finding(
        Dispute.objects.filter(status=DisputeStatus.OPEN),
        _("disputes are open"),
        _("A payer asked their bank for the money back. Answer at the provider before its deadline."),
        list_url(Dispute, status__exact=DisputeStatus.OPEN),
        "bad",
    )


def _days(now: datetime) -> Finding:
    since = timezone.localdate(now - attention.RECENT, timezone.get_default_timezone())
    return Finding(
        ReconciliationDay.objects.filter(attention.differs(), day__gte=since),
        _("days do not reconcile, 30 days"),
        _("The provider and the books disagree, or it holds money that nobody here knows."),
        list_url(ReconciliationDay, differs="yes", day__gte=since.isoformat()),
        "bad",
    )


def _messages(now: datetime) -> Iterator[Finding]:
    yield Finding(
        PaymentEvent.objects.filter(attention.stuck(), received_at__gte=now - attention.RECENT),
        _("payment messages that did not match or failed, 30 days"),
        _("Nothing was marked as paid because of them. Read the reason beside each."),
        list_url(PaymentEvent, outcome="stuck"),
        "bad",
    )
    yield Finding(
        PaymentEvent.objects.filter(attention.waiting()),
        _("payment messages wait"),
        _("They are worked on again by themselves. If they stay, look whether the periodic work runs."),
        list_url(PaymentEvent, outcome="waiting"),
    )
