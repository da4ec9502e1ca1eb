"""What needs finance this morning: exceptions first, then money by age. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Exists, Model, OuterRef, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Approval, ApprovalStatus, User, Work, WorkStatus
from accounts.services.approvals import acts_of
from audit.models import AuditLog
from billing.models import ClosedMonth, Invoice, InvoiceStatus, PricingPlan, RateVersion, Receipt, ReceiptStatus
from billing.selectors.fees import PARKED
from billing.selectors.pricing.unpriced import unpriced_metrics
from core.clock import real
from core.periods import today
from core.words import wording
from hpcbilling.findings import Finding, counted, list_url
from hpcbilling.findings.payments import payment_findings
from hpcbilling.models import PeriodicTask
from hpcbilling.pages import morning
from payments.models import Payment, PaymentEvent, Refund, RefundStatus
from subscriptions.models import LIVE, Subscription, SubscriptionStatus
from usage.finding import BILLABLE
from usage.models import Adjustment, Hold, ImportRun, ImportStatus, Job, Meter, QuarantinedRow, ReviewStatus
from usage.selectors.freshness import data_until
from usage.services.holds import never_closed

STALE_IMPORT = timedelta(hours=26)
RECENT = timedelta(days=7)
OLD_USAGE_DAYS = 60
PAID_DAYS = 30
AGES = ((0, 30), (31, 60), (61, 90), (91, None))
MAIN_LISTS: tuple[type[Model], ...] = (
    Receipt,
    Invoice,
    Payment,
    Refund,
    PaymentEvent,
    Job,
    Adjustment,
    ClosedMonth,
    ImportRun,
    QuarantinedRow,
    RateVersion,
    User,
    AuditLog,
)
Viewer = User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Age:
    label: str
    count: int
    total: Decimal
    url: str
    share: int  # percent of what is open


def context(request: HttpRequest) -> dict[str, Any]:
    """Everything the page shows; each part only to those who may open the list behind it."""
    viewer, now = request.user, timezone.now()
    latest = data_until()
    data: dict[str, Any] = {
        "findings": counted(_findings(viewer, now, latest)),
        "latest_import": latest,
    }
    if viewer.has_perm("billing.view_receipt"):
        ages = _ages(now)
        data |= {
            "ages": ages,
            "open": {"count": sum(age.count for age in ages), "total": sum((a.total for a in ages), Decimal(0))},
            "paid": _paid(now),
            "given_back": morning.given_back(now),
            "chart": (chart := morning.paid_by_day(now))[0],
            "chart_days": chart[1],
            "chart_edges": [today() - timedelta(days=days) for days in (morning.DAYS - 1, morning.DAYS // 2, 0)],
            "paid_days": PAID_DAYS,
            "open_url": list_url(Receipt, status__exact=ReceiptStatus.PENDING),
            "paid_url": list_url(Receipt, status__exact=ReceiptStatus.PAID, paid_at__gte=_since(now)),
            "refunds_url": list_url(Refund, status__exact=RefundStatus.SUCCEEDED, settled_at__gte=_since(now)),
        }
    if viewer.has_perm("usage.view_job") and viewer.has_perm("billing.view_receipt"):
        data |= {"noted": morning.noted(), "unbilled_url": list_url(Job, billing=BILLABLE)}
    tasks = {task.name: task for task in PeriodicTask.objects.all()}
    data["standing"] = [
        *(morning.imports(tasks) if viewer.has_perm("usage.view_importrun") else []),
        *([morning.chain(tasks)] if viewer.has_perm("audit.view_auditlog") else []),
        *morning.under_way(viewer),
    ]
    return data


def _since(now: datetime) -> str:
    return (now - timedelta(days=PAID_DAYS)).isoformat()


def main_lists(request: HttpRequest) -> list[tuple[str, str, bool]]:
    """(name, address, is it open now) of the lists that are used daily, as far as this viewer may see them."""
    links = []
    for model in MAIN_LISTS:
        meta = model._meta
        address = list_url(model)
        if address and request.user.has_perm(f"{meta.app_label}.view_{meta.model_name}"):
            links.append((str(meta.verbose_name_plural), address, request.path.startswith(address)))
    return links


def _findings(viewer: Viewer, now: datetime, latest: datetime | None) -> list[Finding]:
    found = list(payment_findings(viewer, now))
    if viewer.has_perm("usage.view_importrun"):
        found += _usage_findings(now, latest)
    if viewer.has_perm("hpcbilling.view_periodictask"):
        found.append(_failed_tasks())
    found += _review_findings(viewer)
    if acts := acts_of(viewer):
        waiting = Approval.objects.filter(status=ApprovalStatus.OPEN, act__in=acts).exclude(
            asked_by=viewer.get_username()
        )
        words = _("Somebody asked for them; they happen when you confirm. Look at each before you sign.")
        address = list_url(Approval, status__exact=ApprovalStatus.OPEN)
        found.append(Finding(waiting, _("acts wait for a second signature"), words, address))
    if viewer.has_perm("subscriptions.decide_subscription"):
        asked = Subscription.objects.filter(status=SubscriptionStatus.PENDING)
        words = _("Whoever asked waits for it. Approve or deny them.")
        where = list_url(Subscription, status__exact=SubscriptionStatus.PENDING)
        found.append(Finding(asked, _("subscriptions wait for approval"), words, where))
        parked = real(Subscription.objects.filter(status__in=LIVE, metadata__has_key=PARKED))
        words = _("Their fees are not charged: mostly a price is missing. The page of each says which.")
        where = list_url(Subscription, parked="yes")
        found.append(Finding(parked, _("subscriptions could not be renewed"), words, where, "bad"))
    found += _pricing_findings(viewer, now)
    if viewer.has_perm("usage.view_job"):
        found.append(_forgotten_usage(now))
    failed = Work.objects.filter(
        owner_id=viewer.get_username(), status=WorkStatus.FAILED, finished_at__gte=now - RECENT
    )
    words = _("The page of each says why. What was done before it failed is kept; start it anew for the rest.")
    where = list_url(Work, status__exact=WorkStatus.FAILED)
    found.append(Finding(failed, _("works of yours failed, 7 days"), words, where))
    return found


def _pricing_findings(viewer: Viewer, now: datetime) -> list[Finding]:
    """What keeps invoices from being finalized, to those who can do something about it or tell who can."""
    found = []
    if viewer.has_perm("billing.view_pricingplan") or viewer.has_perm("usage.view_meter"):
        where = list_url(PricingPlan) if viewer.has_perm("billing.view_pricingplan") else list_url(Meter)
        words = _("Until somebody prices them, the invoices with them stay drafts; a draft names them.")
        found.append(Finding(unpriced_metrics(now), _("metrics are used and have no price"), words, where, "bad"))
    if viewer.has_perm("billing.view_invoice"):
        drafts = real(Invoice.objects.filter(status=InvoiceStatus.DRAFT)).exclude(problems=[])
        words = _("Each says on its page what has to be settled: mostly a price or an exchange rate is missing.")
        where = list_url(Invoice, status__exact=InvoiceStatus.DRAFT)
        found.append(Finding(drafts, _("drafts of invoices with something to resolve"), words, where))
    return found


def _usage_findings(now: datetime, latest: datetime | None) -> list[Finding]:
    runs = ImportRun.objects.filter(status=ImportStatus.FAILED, started_at__gte=now - RECENT)
    stale = latest is None or now - latest > STALE_IMPORT
    since = wording.moment_text(latest) if latest else _("never")
    return [
        Finding(
            runs,
            _("imports failed, 7 days"),
            _("Usage of those hours may be missing. The next good run brings it in."),
            list_url(ImportRun, status__exact=ImportStatus.FAILED),
            "bad",
        ),
        Finding(
            int(stale),
            _("usage is not up to date"),
            _("Data up to %(moment)s. Check the timer and the connection to Slurm.") % {"moment": since},
            list_url(ImportRun),
        ),
    ]


def _failed_tasks() -> Finding:
    """An import for which no source answered leaves no import run: only its task knows."""
    return Finding(
        PeriodicTask.objects.filter(last_status="failed"),
        _("periodic tasks failed at their last run"),
        _("The error stands beside each. They run again by themselves; what they bring is missing until then."),
        list_url(PeriodicTask, last_status="failed"),
        "bad",
    )


def _review_findings(viewer: Viewer) -> list[Finding]:
    """What an import left to people, each to those who may see its list."""
    open_rows = {"status__exact": ReviewStatus.OPEN}
    found = []
    if viewer.has_perm("usage.view_adjustment"):
        rows = Adjustment.objects.filter(status=ReviewStatus.OPEN)
        words = _("Their record is different now. Receipts and closed months stay as they are until you decide.")
        found.append(Finding(rows, _("jobs changed at their source"), words, list_url(Adjustment, **open_rows)))
    if viewer.has_perm("usage.view_quarantinedrow"):
        refused = QuarantinedRow.objects.filter(status=ReviewStatus.OPEN)
        words = _("These rows were refused and are not billed. Correct and release them, or dismiss them with a note.")
        found.append(Finding(refused, _("rows in quarantine"), words, list_url(QuarantinedRow, **open_rows)))
    if viewer.has_perm("usage.view_job"):
        held = Job.objects.filter(hold=Hold.RUNAWAY, claimed_by="", end_at__isnull=False)
        words = _("They are implausibly long and not billed. Clear the hold of those that are real.")
        found.append(Finding(held, _("jobs held back"), words, list_url(Job, held=Hold.RUNAWAY)))
        words = _("They started more than %(days)d days ago and never ended. Ask the operators to close them in Slurm.")
        words %= {"days": settings.USAGE_RUNAWAY_DAYS}
        found.append(
            Finding(Job.objects.filter(never_closed()), _("jobs never closed"), words, list_url(Job, held="open"))
        )
    return found


def _forgotten_usage(now: datetime) -> Finding:
    """Asked user by user: each is one look into the index of what is not billed."""
    before = now - timedelta(days=OLD_USAGE_DAYS)
    old = Job.objects.real().unbilled().chargeable(settings.BILLING_FREE_STATES).filter(end_at__lt=before)
    return Finding(
        User.objects.filter(Exists(old.filter(username=OuterRef("pk")))),
        _("users with unbilled usage older than 60 days"),
        _("Create their receipts, or ask them to."),
        list_url(Job, billing=BILLABLE, end_at__lt=before.isoformat()),
    )


def _ages(now: datetime) -> list[Age]:
    """Pending receipts by the days since they were created, in one query."""
    aggregates: dict[str, Any] = {}
    for index, (least, most) in enumerate(AGES):
        window = Q(created_at__lte=now - timedelta(days=least))
        if most is not None:
            window &= Q(created_at__gt=now - timedelta(days=most + 1))
        aggregates |= {f"count_{index}": Count("pk", filter=window), f"total_{index}": Sum("total", filter=window)}
    ours = Receipt.objects.filter(currency=settings.PAYMENT_CURRENCY)  # other currencies are never added to these
    row = ours.filter(status=ReceiptStatus.PENDING).aggregate(**aggregates)
    totals = [row[f"total_{index}"] or Decimal(0) for index, _age in enumerate(AGES)]
    whole = sum(totals, Decimal(0))
    return [
        Age(
            _age_label(least, most),
            row[f"count_{index}"],
            totals[index],
            _age_url(now, least, most),
            int(totals[index] * 100 / whole) if whole else 0,
        )
        for index, (least, most) in enumerate(AGES)
    ]


def _age_label(least: int, most: int | None) -> str:
    if most is None:
        return _("over %(days)s days") % {"days": least - 1}
    return _("%(least)s to %(most)s days") % {"least": least, "most": most}


def _age_url(now: datetime, least: int, most: int | None) -> str:
    lookups: dict[str, object] = {"status__exact": ReceiptStatus.PENDING}
    if least:
        lookups["created_at__lte"] = (now - timedelta(days=least)).isoformat()
    if most is not None:
        lookups["created_at__gt"] = (now - timedelta(days=most + 1)).isoformat()
    return list_url(Receipt, **lookups)


def _paid(now: datetime) -> dict[str, Any]:
    ours = Receipt.objects.filter(currency=settings.PAYMENT_CURRENCY)
    paid = ours.filter(status=ReceiptStatus.PAID, paid_at__gte=now - timedelta(days=PAID_DAYS))
    return paid.aggregate(count=Count("pk"), total=Sum("total"))
