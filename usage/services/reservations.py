"""Setting quota aside before a call, and settling it with the event that tells of the call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.clock import now_for, of
from core.database.decimals import plain
from core.errors import AppError, BadInput, Conflict
from subscriptions.models import ENDED, Subscription, SubscriptionStatus, SuspendedFor
from usage.models import QuotaReservation, QuotaWindow, ReservationStatus
from usage.quotas import Standing, open_windows, standings

LARGEST = Decimal(10) ** 15


class QuotaExhausted(AppError):
    """A hard limit would be passed. The details say which, and when its window begins anew."""

    code = "quota_exhausted"
    http_status = 429
    retryable = True

    def headers(self) -> dict[str, str]:
        """Seconds until the window begins anew, where it does."""
        reset_at = self.details.get("reset_at")
        if not isinstance(reset_at, str):
            return {}
        wait = datetime.fromisoformat(reset_at) - timezone.now()
        return {"Retry-After": str(max(int(wait.total_seconds()) + 1, 1))}


class NotUsable(Conflict):
    """The subscription is not open for use now."""

    code = "subscription_not_usable"


def reserve_quota(
    *, subscription: Subscription, amounts: Mapping[str, Decimal], now: datetime | None = None
) -> QuotaReservation:
    """Set ``amounts`` (metric -> how much) aside in every window that limits one of them, all or nothing.

    What is set aside is never more than a hard limit leaves, however many ask at once: the rows of the windows are
    locked, and what was used is read under that lock. It is given back when ``QUOTA_HOLD_SECONDS`` are over without
    an event. Raises ``QuotaExhausted``, ``NotUsable``, ``BadInput``.
    """
    now = now or now_for(subscription.organisation)
    _check(amounts)
    _refuse_unusable(subscription, now)
    open_windows([subscription], now)
    with transaction.atomic():
        found = _lock(subscription, amounts, now)
        short = _short(found, amounts)
        if short and _give_back_expired(subscription, now):
            found = _lock(subscription, amounts, now)
            short = _short(found, amounts)
        if found:
            _refuse_ended(subscription)
        if not short:
            return _set_aside(subscription, found, amounts, now)
    raise _exhausted(short)


def settle_reservations(used: Mapping[UUID, int | None]) -> int:
    """Take what was set aside back, because the use itself counts from now on. In the transaction of the events.

    ``used`` maps reservations to the subscription of their event. One that is unknown, of another subscription or
    settled already changes nothing: the event counts in any case.
    """
    rows = QuotaReservation.objects.select_for_update().filter(uuid__in=used)
    open_ = (ReservationStatus.HELD, ReservationStatus.EXPIRED)
    chosen = [row for row in rows.order_by("pk") if row.status in open_ and used[row.uuid] == row.subscription_id]
    _free([row for row in chosen if row.status == ReservationStatus.HELD])
    _end(chosen, ReservationStatus.SETTLED)
    return len(chosen)


@transaction.atomic
def release_reservation(*, subscription: Subscription, uuid: UUID) -> bool:
    """Give back what the call did not need. False when it was given back or settled before. Raises ``BadInput``."""
    row = QuotaReservation.objects.select_for_update().filter(uuid=uuid, subscription=subscription).first()
    if row is None:
        raise BadInput(_("There is no such reservation."), field="reservation")
    if row.status != ReservationStatus.HELD:
        return False
    _free([row])
    _end([row], ReservationStatus.RELEASED)
    return True


@transaction.atomic
def expire_reservations(*, now: datetime | None = None, organisations: Sequence[int] | None = None) -> int:
    """Give back what was set aside for calls that nobody has heard of since."""
    rows = of(QuotaReservation.objects.all(), organisations, "subscription__organisation")
    late = rows.filter(status=ReservationStatus.HELD, expires_at__lte=now or timezone.now())
    return _expire(list(late.select_for_update(of=("self",), skip_locked=True).order_by("pk")[:1000]))


def _check(amounts: Mapping[str, Decimal]) -> None:
    for metric, amount in amounts.items():
        if not 0 <= amount < LARGEST:
            raise BadInput(_("An amount is 0 or more, with at most 15 digits."), field=metric)


def _refuse_unusable(subscription: Subscription, now: datetime) -> None:
    waits = subscription.suspended_for == SuspendedFor.QUOTA and subscription.reset_at
    if waits and not subscription.is_usable and subscription.reset_at and subscription.reset_at > now:
        raise QuotaExhausted(
            _("The quota is used up until %(moment)s.") % {"moment": _moment(subscription.reset_at)},
            reset_at=_moment(subscription.reset_at),
        )
    over = subscription.end_at is not None and subscription.end_at <= now
    if over or not (subscription.is_usable or waits):
        raise NotUsable(
            _unusable_words(subscription),
            subscription_status=subscription.status,
            suspended_for=subscription.suspended_for,
        )


def _refuse_ended(subscription: Subscription) -> None:
    """The row is kept from ending until what is set aside stands: whoever asks anew carries it, or it is not there."""
    state = Subscription.objects.select_for_update(no_key=True).values_list("status", flat=True)
    subscription.status = state.get(pk=subscription.pk)
    if subscription.status in ENDED:
        raise NotUsable(_unusable_words(subscription), subscription_status=subscription.status, suspended_for="")


def _unusable_words(subscription: Subscription) -> str:
    """Whoever calls learns why it rests, and so what would end it."""
    words = {
        SuspendedFor.PAYMENT: _("This subscription is suspended until what is due is paid."),
        SuspendedFor.STAFF: _("This subscription is suspended by staff; ask them."),
        SuspendedFor.QUOTA: _("This subscription is suspended: its quota is used up."),
    }
    if subscription.status == SubscriptionStatus.SUSPENDED and subscription.suspended_for in words:
        return words[SuspendedFor(subscription.suspended_for)]
    return _("This subscription is %(status)s.") % {"status": subscription.get_status_display()}


def _lock(subscription: Subscription, amounts: Mapping[str, Decimal], now: datetime) -> list[Standing]:
    windows = QuotaWindow.objects.select_for_update().filter(
        subscription=subscription, metric__in=amounts, starts_at__lte=now
    )
    return standings([each for each in windows.order_by("pk") if each.ends_at is None or each.ends_at > now])


def _short(found: list[Standing], amounts: Mapping[str, Decimal]) -> list[Standing]:
    """Hard limits that leave less than is asked for."""
    return [
        each
        for each in found
        if each.window.is_hard and each.left is not None and each.left < amounts[each.window.metric]
    ]


def _set_aside(
    subscription: Subscription, found: list[Standing], amounts: Mapping[str, Decimal], now: datetime
) -> QuotaReservation:
    held = {}
    for each in found:
        amount = amounts[each.window.metric]
        if amount and each.window.limit is not None:
            each.window.held += amount
            held[str(each.window.pk)] = plain(amount)
    QuotaWindow.objects.bulk_update([each.window for each in found if str(each.window.pk) in held], ["held"])
    return QuotaReservation.objects.create(
        subscription=subscription, amounts=held, expires_at=now + timedelta(seconds=settings.QUOTA_HOLD_SECONDS)
    )


def _give_back_expired(subscription: Subscription, now: datetime) -> int:
    late = QuotaReservation.objects.filter(
        subscription=subscription, status=ReservationStatus.HELD, expires_at__lte=now
    )
    return _expire(list(late.select_for_update(skip_locked=True).order_by("pk")[:1000]))


def _expire(rows: list[QuotaReservation]) -> int:
    _free(rows)
    return _end(rows, ReservationStatus.EXPIRED)


def _free(rows: list[QuotaReservation]) -> None:
    amounts: dict[int, Decimal] = {}
    for row in rows:
        for window, amount in row.amounts.items():
            amounts[int(window)] = amounts.get(int(window), Decimal(0)) + Decimal(amount)
    windows = list(QuotaWindow.objects.select_for_update().filter(pk__in=amounts).order_by("pk"))
    for each in windows:
        each.held -= amounts[each.pk]
    QuotaWindow.objects.bulk_update(windows, ["held"])


def _end(rows: list[QuotaReservation], status: ReservationStatus) -> int:
    return QuotaReservation.objects.filter(pk__in=[row.pk for row in rows]).update(
        status=status, ended_at=timezone.now()
    )


def _exhausted(short: list[Standing]) -> QuotaExhausted:
    """Told of the window that begins anew last: before that, trying again is in vain."""
    last = max(short, key=lambda each: (each.window.ends_at is None, each.window.ends_at or each.window.starts_at))
    window = last.window
    ends = window.ends_at
    words = _("%(metric)s: %(used)s of %(limit)s are used and %(held)s set aside.") % {
        "metric": window.metric, "used": plain(last.used), "limit": plain(window.limit or Decimal(0)),
        "held": plain(last.held),
    }  # fmt: skip
    return QuotaExhausted(
        words, metric=window.metric, window=window.window, limit=plain(window.limit or Decimal(0)),
        used=plain(last.used), held=plain(last.held), reset_at=_moment(ends) if ends else None,
    )  # fmt: skip


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
