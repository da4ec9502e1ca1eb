"""Why a job is, or is not, on a receipt: one answer for every job. Reads only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Tier, User
from billing.models import CpuBasis, PriceAt, Receipt
from billing.selectors.jobs.months import closed_windows
from billing.selectors.pricing.prices import PriceBook
from core.periods import Window
from core.words.wording import day_text
from usage.models import ACTIVE_STATES, Hold, Job, QuarantinedRow, ReviewStatus
from usage.reasons import in_words

_CLAIM = re.compile(r"receipt:(\d+)")


@dataclass(frozen=True, slots=True)
class Standing:
    """``code`` is stable, ``words`` are for people; ``link`` leads on, where there is somewhere to go."""

    code: str
    words: str
    link: str = ""


@dataclass(frozen=True)
class _Facts:
    """What the answers rest on, read at most once for any number of jobs, and only where an answer rests on it."""

    jobs: Sequence[Job]
    book: PriceBook

    @cached_property
    def receipts(self) -> Mapping[int, Receipt]:
        return Receipt.objects.in_bulk(
            {int(match[1]) for job in self.jobs if (match := _CLAIM.fullmatch(job.claimed_by))}
        )

    @cached_property
    def known(self) -> frozenset[str]:
        names = {job.username for job in self.jobs}
        return frozenset(User.objects.filter(username__in=names).values_list("username", flat=True))

    @cached_property
    def closed(self) -> Sequence[Window]:
        return closed_windows()

    @cached_property
    def tiers(self) -> Mapping[str, str]:
        return {tier.pk: tier.label for tier in Tier.objects.all()}

    @property
    def invoiced(self) -> Sequence[str]:
        return self.book.resolver.invoiced


def standing_of(job: Job, book: PriceBook | None = None) -> Standing:
    return standings([job], book)[job.pk]


def standings(jobs: Iterable[Job], book: PriceBook | None = None) -> dict[int, Standing]:
    """The answer for each job by its id; the number of queries does not depend on how many there are."""
    facts = _Facts(list(jobs), book or PriceBook.load())
    return {job.pk: _standing(job, facts) for job in facts.jobs}


def quarantined_standing(job_id: str, username: str) -> Standing | None:
    """The answer for a job of ``username`` that has not arrived because its record was refused."""
    rows = QuarantinedRow.objects.filter(job_id_display=job_id, username=username)
    row = rows.exclude(status=ReviewStatus.ACCEPTED).order_by("-status", "-id").first()
    return None if row is None else refused_standing(row, job_id)


def refused_standing(row: QuarantinedRow, job_id: str) -> Standing:
    if row.status == ReviewStatus.DISMISSED:
        return Standing("dismissed", _("The record of job %(job)s was looked at and is not counted.") % {"job": job_id})
    words = _("The record of job %(job)s could not be read (%(why)s). Finance sees it and decides.")
    return Standing("quarantined", words % {"job": job_id, "why": in_words(row.reason)})


def _standing(job: Job, facts: _Facts) -> Standing:
    """The first rule that has something to say; the order is that of ``billable.skipped_jobs``."""
    rules: tuple[Callable[[Job, _Facts], Standing | None], ...] = (_billed, _not_ended, _never_billed, _by_price)
    for rule in rules:
        if found := rule(job, facts):
            return found
    day = timezone.localdate(job.end_at, timezone.get_default_timezone())
    words = _("Not billed yet: the next receipt that covers %(day)s will hold it.") % {"day": day_text(day)}
    return Standing("next_receipt", words, f"{reverse('billing:receipt_new')}?{urlencode({'start': day, 'end': day})}")


def _billed(job: Job, facts: _Facts) -> Standing | None:
    if not job.claimed_by:
        return None
    match = _CLAIM.fullmatch(job.claimed_by)
    receipt = facts.receipts.get(int(match[1])) if match else None
    if job.claimed_by.startswith("invoice:"):
        return Standing("billed", _("It is billed on an invoice of its organisation."))
    if receipt is None:
        return Standing("billed", _("It is billed on %(document)s.") % {"document": job.claimed_by})
    words = _("It is on receipt %(number)s (%(status)s).")
    status = receipt.get_status_display()
    return Standing("billed", words % {"number": receipt, "status": status}, receipt.get_absolute_url())


def _not_ended(job: Job, facts: _Facts) -> Standing | None:
    if job.end_at is not None:
        return None
    if job.state == "PENDING":
        return Standing("pending", _("It is waiting to start and has used nothing."))
    if job.state in ACTIVE_STATES:
        return Standing("running", _("It has not ended yet. A job is billed once it has ended."))
    words = _("Its state is %(state)s, but the cluster has not told when it ended. It is looked for at every import.")
    return Standing("no_end", words % {"state": job.state})


def _never_billed(job: Job, facts: _Facts) -> Standing | None:
    if job.state in settings.BILLING_FREE_STATES:
        words = _("It ended as %(state)s, which is not the user's doing: free of charge.")
        return Standing("free_state", words % {"state": job.state})
    if not job.elapsed_seconds:
        return Standing("zero_time", _("It ran for zero seconds, so there is nothing to bill."))
    if job.hold == Hold.RUNAWAY:
        words = _("It is longer than %(days)d days, which is implausible. Finance looks at it before it is billed.")
        return Standing("runaway", words % {"days": settings.USAGE_RUNAWAY_DAYS})
    if job.account in facts.invoiced:
        words = _("The organisation behind account %(account)s is billed by the month, by invoice.")
        return Standing("by_invoice", words % {"account": job.account})
    if job.username not in facts.known:
        words = _("Nobody here has the user name %(name)s, so there is nobody to bill.")
        return Standing("no_user", words % {"name": job.username})
    if any(window.holds(job.end_at) for window in facts.closed if job.end_at):
        words = _("It arrived after its month had been closed. Finance bills it by an adjustment.")
        return Standing("closed_month", words)
    return None


def _by_price(job: Job, facts: _Facts) -> Standing | None:
    price = facts.book.price(job.username, job.account, job.end_at)
    if price.version is None:
        words = _("The tier %(tier)s has no price now. Finance has to set one before it can be billed.")
        if facts.book.price_at == PriceAt.JOB_END:
            words = _("The tier %(tier)s had no price when the job ended, so it cannot be billed.")
        return Standing("no_rate", words % {"tier": facts.tiers.get(price.tier, price.tier)})
    if price.basis == CpuBasis.USED and job.used_cpu_seconds is None:
        words = _("Its price counts the CPU time that was used, and the record does not tell it.")
        return Standing("no_cpu_time", words)
    if not any(Decimal(rate) for rate in price.rates):
        words = _("All prices of the tier %(tier)s are zero: it costs nothing.")
        return Standing("free_tier", words % {"tier": facts.tiers.get(price.tier, price.tier)})
    return None
