"""Where things stand: what takes a while to add up is noted every ten minutes, with its moment; the rest is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Sum
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Approval, ApprovalStatus, User, Work, WorkStatus
from audit.models import AuditLog
from billing.models import Receipt, ReceiptStatus
from billing.selectors.jobs import usage
from billing.selectors.jobs.months import find
from billing.selectors.jobs.proof import Proof, prove
from billing.selectors.jobs.usage import UsageFilter
from core import charts
from core.database.counting import count_rows
from core.money import from_minor
from core.periods import month_start, previous_month, today
from core.words import wording
from hpcbilling.findings import list_url
from hpcbilling.models import Figures, PeriodicTask
from payments.models import Refund, RefundStatus
from usage.models import Job
from usage.selectors.freshness import LastRead, last_reads

NAME = "morning"
IMPORT = "import_usage"  # and with the cluster behind it, where there are several
MONTHS = 3
DAYS = 30


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the table: what, in which state (tone of its chip and its word), since when or how far, where."""

    what: str
    tone: str
    word: str
    detail: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class MonthProgress:
    """``done``: percent of the month's cost that is billed or free; None without usage, or once it is closed."""

    month: date
    is_closed: bool
    is_over: bool
    done: int | None
    url: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Everybody's usage that no document bills yet, at the prices of then; the latest months."""

    jobs: int
    cost: Decimal
    months: list[MonthProgress]
    at: datetime


def note() -> dict[str, Any]:
    """Add everything up anew and keep it. Statements grow with the months shown, not with the jobs."""
    left = usage.totals(UsageFilter(None, billed="no", only_real=True))
    months, month = [], month_start(today())
    for place in range(MONTHS):
        closed = find(month) is not None
        proof = None if closed else prove(month)
        done = _done(proof) if proof and proof.usage.cost else None
        months.append({"month": month.isoformat(), "closed": closed, "over": place > 0, "done": done})
        month = previous_month(month)
    jobs = Job.objects.real().unbilled().chargeable(settings.BILLING_FREE_STATES).count()  # those whose cost it is
    data = {"jobs": jobs, "cost": str(left.unbilled), "months": months}
    Figures.objects.update_or_create(name=NAME, defaults={"data": data, "noted_at": timezone.now()})
    return data


def _done(proof: Proof) -> int:
    return int((proof.parts["billed"].cost + proof.parts["free"].cost) * 100 / proof.usage.cost)


def noted() -> Noted | None:
    """What ``note`` kept; None before its first run."""
    row = Figures.objects.filter(name=NAME).first()
    if row is None:
        return None
    months = []
    for each in row.data["months"]:
        month = date.fromisoformat(each["month"])
        address = reverse("admin:billing_month", args=[month.year, month.month])
        months.append(MonthProgress(month, each["closed"], each["over"], each["done"], address))
    return Noted(row.data["jobs"], Decimal(row.data["cost"]), months, row.noted_at)


def given_back(now: datetime) -> Decimal:
    """In the site's currency, of the last ``DAYS`` days."""
    done = Refund.objects.filter(status=RefundStatus.SUCCEEDED, settled_at__gte=now - timedelta(days=DAYS))
    ours = done.filter(payment__currency=settings.PAYMENT_CURRENCY)
    return from_minor(ours.aggregate(total=Sum("amount_cents"))["total"] or 0, settings.PAYMENT_CURRENCY)


def paid_by_day(now: datetime) -> tuple[charts.BarChart, list[tuple[date, Decimal]]]:
    """Bars of what was paid on each of the last ``DAYS`` days of the site, and the same as numbers."""
    zone = timezone.get_default_timezone()
    first = today() - timedelta(days=DAYS - 1)
    paid = Receipt.objects.filter(
        currency=settings.PAYMENT_CURRENCY, status=ReceiptStatus.PAID, paid_at__gte=now - timedelta(days=DAYS + 1)
    )
    rows = paid.annotate(day=TruncDate("paid_at", tzinfo=zone)).values("day").annotate(sum=Sum("total")).order_by("day")
    sums = {row["day"]: row["sum"] for row in rows}
    days = [(first + timedelta(days=n), sums.get(first + timedelta(days=n), Decimal(0))) for n in range(DAYS)]
    bars = [
        charts.Bar(f"{wording.day_text(day)}: {wording.money_text(total, settings.PAYMENT_CURRENCY)}", (total,))
        for day, total in days
    ]
    chart = charts.bar_chart(
        bars,
        title=_("Paid by day, last %(days)s days") % {"days": DAYS},
        description=_("One bar a day. The table below holds the same numbers."),
    )
    return chart, [(day, total) for day, total in days if total]


def imports(tasks: Mapping[str, PeriodicTask]) -> list[Standing]:
    """How far the usage of each cluster goes, and whether its last import (also one of ``tasks``, by name) failed."""
    where = reverse("admin:usage_importrun_changelist")
    return [
        Standing(
            _("Usage of %(cluster)s") % {"cluster": read.cluster or _("all clusters")},
            *_how_fresh(read, tasks.get(f"{IMPORT} {read.cluster}") or tasks.get(IMPORT)),
            _("data up to %(moment)s") % {"moment": wording.moment_text(read.until)} if read.until else "",
            f"{where}?cluster={read.cluster}",
        )
        for read in last_reads()
    ]


def _how_fresh(read: LastRead, task: PeriodicTask | None) -> tuple[str, str]:
    """Tone and word. An import that failed leaves no run when no source answered, so its task is asked, too; what
    failed last counts until a run that is newer brings data, whoever started it."""
    failures = [read.failed_at]
    if task and task.last_status == "failed":
        failures.append(task.last_run_at)
    failed_at = max((each for each in failures if each), default=None)
    if failed_at and (read.good_at is None or read.good_at <= failed_at):
        return "bad", _("the last import failed")
    fresh = read.until is not None and read.until > timezone.now() - timedelta(hours=26)
    return ("good", _("up to date")) if fresh else ("warn", _("late"))


def under_way(viewer: User | AnonymousUser) -> list[Standing]:
    """Long work that has not ended, and what the viewer has asked a second person for; nothing where there is none."""
    works = Work.objects.filter(status__in=(WorkStatus.QUEUED, WorkStatus.RUNNING))
    if not viewer.has_perm("accounts.view_work"):
        works = works.filter(owner_id=viewer.get_username())
    asked = Approval.objects.filter(status=ApprovalStatus.OPEN, asked_by=viewer.get_username())
    numbers = count_rows({
        "running": works.filter(status=WorkStatus.RUNNING), "queued": works.filter(status=WorkStatus.QUEUED),
        "asked": asked,
    })  # fmt: skip
    found = []
    if numbers["running"] or numbers["queued"]:
        words = _("%(running)d running, %(queued)d waiting") % numbers
        where = list_url(Work)
        found.append(Standing(_("Long work"), "info", _("under way"), words, where))
    if number := numbers["asked"]:
        words = ngettext("%(n)d act that you asked for", "%(n)d acts that you asked for", number) % {"n": number}
        where = list_url(Approval, status__exact=ApprovalStatus.OPEN)
        found.append(Standing(_("Second signatures"), "warn", _("waiting"), words, where))
    return found


def chain(tasks: Mapping[str, PeriodicTask]) -> Standing:
    """What the last daily verification said of the audit log."""
    number = AuditLog.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    last = tasks.get("verify_audit")
    entries = _("%(number)s entries") % {"number": wording.decimal_text(Decimal(number), 0)}
    where = reverse("admin:audit_auditlog_changelist")
    if last is None or last.last_run_at is None:
        return Standing(_("Audit chain"), "warn", _("not verified yet"), entries, where)
    when = _("verified %(moment)s") % {"moment": wording.moment_text(last.last_run_at)}
    good = last.last_status == "done"
    word = _("intact") if good else _("broken: run verify_audit")
    return Standing(_("Audit chain"), "good" if good else "bad", word, f"{entries}, {when}", where)
