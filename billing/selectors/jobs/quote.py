"""Quote = bill: what an sbatch request would cost, by the engine and the prices that bill it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Tier
from accounts.tiers import describe_reason
from billing import pricing
from billing.models import CpuBasis, RateVersion
from billing.selectors.documents.explanations import Arithmetic, Term
from billing.selectors.jobs.billable import site_tax
from billing.selectors.pricing.prices import PriceBook
from billing.selectors.pricing.rates import missing
from billing.tax import apply
from billing.words.sbatch import note_text, refusal
from core.errors import BadInput
from usage.models import Job
from usage.sbatch import request as sbatch

MAX_TEXT = 65_536  # Slurm's own limit for a script is 4 MiB; a header is a few hundred characters


@dataclass(frozen=True, slots=True)
class QuoteNote:
    """``code`` is stable; ``text`` is in the reader's language."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class QuoteTier:
    """``source`` organisation, override, rule, default or chosen; ``reason`` says it in words."""

    code: str
    label: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuoteRate:
    """The version in force now: prices per core-hour, GPU-hour and GB-hour."""

    version: int
    effective_at: datetime
    cpu: Decimal
    gpu: Decimal
    mem: Decimal
    cpu_basis: str


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What one job would be allocated, all its nodes together, for ``seconds``: the whole time limit."""

    cpus: int
    gpus: int
    gpu_types: dict[str, int]
    mem_mib: int
    nodes: int
    seconds: int
    array_tasks: int
    account: str
    partition: str
    qos: str


@dataclass(frozen=True, slots=True)
class Quote:
    """``job`` is one job's arithmetic, ``cost`` that of all array tasks; ``tax``, ``total`` as on a receipt."""

    request: QuoteRequest
    tier: QuoteTier
    rate: QuoteRate
    job: Arithmetic
    cost: Decimal
    tax_label: str
    tax: Decimal
    total: Decimal
    currency: str
    notes: list[QuoteNote]
    unknown_options: list[str]


def quote(*, text: str, username: str = "", account: str = "", tier: str = "") -> Quote:
    """Price ``text`` (a script's header, or an sbatch command line) by the prices in force now.

    ``tier`` decides when given; else ``username`` with the account that the text names, or ``account``, or that
    of the user's newest job; else the default tier. Raises ``BadInput`` (``option``, ``line`` and ``reason`` in its
    details) for what cannot be read, and ``MissingRate``.
    """
    if len(text) > MAX_TEXT:
        raise BadInput(_("Only %(most)s characters are read; paste the header alone.") % {"most": f"{MAX_TEXT:,}"})
    try:
        asked = sbatch.parse(text, settings.SLURM_PARTITIONS)
    except sbatch.SbatchError as error:
        raise refusal(error) from error
    notes = [QuoteNote(note.code, note_text(note)) for note in asked.notes]
    charged = asked.account or account or (newest_account(username) if username and not tier else "")
    if username and charged and not tier and not (asked.account or account):
        words = _("No account is named; the price is that of %(account)s, the account of your newest job.")
        notes.append(QuoteNote("account_of_newest_job", words % {"account": charged}))
    decided, version = _price(username, charged, tier)
    if version.cpu_basis == CpuBasis.USED:
        notes.append(
            QuoteNote("cpu_used", _("This tier is charged for the CPU time used: the price is the most it can be."))
        )
    job = _arithmetic(asked, version)
    with localcontext(prec=60):
        cost = job.cost * asked.array_tasks
    tax = site_tax()
    sums = apply(tax, cost)
    return Quote(
        request=_request(asked, charged),
        tier=decided,
        rate=QuoteRate(version.pk, version.effective_at, version.cpu, version.gpu, version.mem, str(version.cpu_basis)),
        job=job,
        cost=cost,
        tax_label=tax.label,
        tax=sums.tax,
        total=sums.total,
        currency=settings.PAYMENT_CURRENCY,
        notes=notes,
        unknown_options=list(asked.unknown),
    )


def newest_account(username: str) -> str:
    """The Slurm account of the user's newest ended job; empty when there is none."""
    ended = Job.objects.filter(username=username, end_at__isnull=False).order_by("-end_at", "-id")
    return ended.values_list("account", flat=True).first() or ""


def _price(username: str, account: str, tier: str) -> tuple[QuoteTier, RateVersion]:
    """The tier as a bill would find it, and its version in force. A quoted job ends at the earliest now."""
    book = PriceBook.load()
    if tier:
        code, source, reason = tier, "chosen", _("chosen here")
        version = book.version_now(tier)
    elif username:
        price = book.price(username, account)
        code, source, reason = price.tier, price.reason.partition(":")[0], describe_reason(price.reason)
        version = price.version
    else:
        code, source, reason = settings.DEFAULT_TIER, "default", describe_reason("default")
        version = book.version_now(code)
    known = Tier.objects.filter(pk=code).first()
    if known is None:
        raise BadInput(_("There is no tier %(tier)s.") % {"tier": code}, field="tier")
    if version is None:
        raise missing(code, timezone.now())
    return QuoteTier(code, known.label, source, reason), version


def _arithmetic(asked: sbatch.Request, version: RateVersion) -> Arithmetic:
    seconds = (asked.cpus * asked.seconds, asked.gpus * asked.seconds, asked.mem_mib * asked.seconds)
    item = pricing.price(
        cpu_seconds=seconds[0],
        gpu_seconds=seconds[1],
        mem_mib_seconds=seconds[2],
        rates=pricing.Rates(version.cpu, version.gpu, version.mem),
    )
    per_hour = pricing.SECONDS_PER_HOUR
    with localcontext(prec=60):
        terms = [
            Term(name, label, amount, divisor, hours, rate, hours * rate)
            for name, label, amount, divisor, hours, rate in (
                ("cpu", _("Core-hours"), seconds[0], per_hour, item.cpu_core_hours, version.cpu),
                ("gpu", _("GPU-hours"), seconds[1], per_hour, item.gpu_hours, version.gpu),
                ("mem", _("GB-hours"), seconds[2], pricing.MIB_SECONDS_PER_GB_HOUR, item.mem_gb_hours, version.mem),
            )
        ]
        exact = sum((term.product for term in terms), Decimal(0))
        return Arithmetic(terms, exact, item.cost - exact, item.cost, settings.PAYMENT_CURRENCY)


def _request(asked: sbatch.Request, account: str) -> QuoteRequest:
    return QuoteRequest(
        cpus=asked.cpus,
        gpus=asked.gpus,
        gpu_types=dict(asked.gpu_types),
        mem_mib=asked.mem_mib,
        nodes=asked.nodes,
        seconds=asked.seconds,
        array_tasks=asked.array_tasks,
        account=account,
        partition=asked.partition,
        qos=asked.qos,
    )
