"""Receipts: create, pay, void. One set-based path whatever the number of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import DataError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Approval, User
from accounts.projects import LedProject, led_project
from accounts.services.approvals import ask_and_stop, count_alone, overtake, takes_second
from audit import services as audit
from billing import metrics, sql
from billing.debtors import check_not_own
from billing.models import RECEIPT_TRANSITIONS, Receipt, ReceiptItem, ReceiptStatus
from billing.selectors.documents.genuine import digest_of
from billing.selectors.jobs import billable
from billing.selectors.jobs.billable import Group
from billing.selectors.jobs.months import closed_months_of
from billing.selectors.pricing.prices import PriceBook
from billing.services.lone_acts import lone_act
from billing.services.numbers import RECEIPTS, next_number
from billing.tax import apply
from core.context import Actor
from core.database import sets
from core.database.locks import lock_for_transaction
from core.errors import AppError, BadInput, Conflict
from core.periods import today
from core.states import transition, transition_held
from usage.models.jobs import JobQuerySet
from usage.services.claims import claim_jobs, release_jobs

LONGEST_NOTE = 500
# What the columns hold. SQLite writes more than that, and could not read it again.
MOST, MOST_HOURS = Decimal(10) ** 12, Decimal(10) ** 10


class MonthClosed(Conflict):
    """The month has been closed; only a dated adjustment may change what it was billed for."""

    code = "month_closed"


class TotalChanged(Conflict):
    """Usage or rates changed between the preview and the order to create."""

    code = "total_changed"


@dataclass(frozen=True, slots=True)
class Run:
    """Result of ``create_all``; ``failed`` maps a user to what went wrong."""

    receipts: list[Receipt]
    skipped: dict[str, int]
    failed: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def create_receipts(
    *, actor: Actor, username: str, start: date | None = None, end: date | None = None, expected: str | None = None,
    note: str = "", adjusts: date | None = None, project: int | None = None,
) -> list[Receipt]:  # fmt: skip
    """Put every unbilled chargeable job of the window on a receipt, one a tier and rate version, all or nothing.

    Nothing left to bill gives an empty list: a repeat or a lost race is not an
    error. Raises ``TotalChanged`` when ``expected`` (a preview's token) no longer
    fits, ``MissingRate``, and ``BadInput`` for an unknown user, a reversed window or a note that is too long.
    Jobs of closed months stay off; ``adjusts`` names the one whose late jobs are billed
    (``services.months`` alone passes it, with its adjustment). ``project`` names one that the user
    leads: then the jobs of everybody under its Slurm accounts are meant, and the user pays for them.
    """
    billable.check_window(start, end)
    note = check_note(note)
    user = User.objects.filter(pk=username).first()
    if user is None:
        raise BadInput(_("There is no user %(name)s.") % {"name": username}, field="user")
    led = None if project is None else _led(username, project)
    lock_for_transaction("months", shared=True)  # no month closes while it is being billed
    lock_for_transaction("rates", shared=True)  # no rates come into force between the moment and the reading of them
    lock_for_transaction("receipts", username)
    now = timezone.now()
    book = PriceBook.load(now)
    off = billable.OffLimits.load(book)
    first, last = billable.bill_days(username, start, end, adjusts, led, off)
    candidates = billable.candidates_of(username, first, last, adjusts, led, off)
    groups = billable.groups_of("" if led else username, candidates, book)
    quotes = []
    if groups and expected is not None:
        quotes = billable.quotes_of(groups, candidates)
        if quotes and billable.token_of(quotes) != expected:
            raise _total_changed()
    drafts = [_Draft(actor, user, first, last, now, note, adjusts, led) for _group in groups]
    receipts = [
        receipt
        for draft, group in zip(drafts, groups, strict=True)
        if (receipt := _create_one(draft, group, candidates))
    ]
    # No lock keeps a member from billing an own job of the project meanwhile: what was claimed must be what was seen.
    if led and quotes and [each.total for each in receipts] != [quote.total for quote in quotes]:
        raise _total_changed()
    for receipt in receipts:
        audit.record(
            actor=actor, action="receipt_create", target=str(receipt.pk), entity=receipt,
            extra={"username": username, "tier": receipt.pricing_tier_id, "total": receipt.total,
                   "currency": receipt.currency, "start": receipt.start, "end": receipt.end,
                   "number": receipt.document_number, "digest": receipt.digest,
                   **({"project": led.name} if led else {})},
        )  # fmt: skip
    transaction.on_commit(lambda: metrics.receipts_created(len(receipts)))
    if receipts:
        sets.forget_plans()
    return receipts


def _led(username: str, project: int) -> LedProject:
    found = led_project(username, project)
    if found is None:
        raise BadInput(_("%(name)s leads no such project.") % {"name": username}, field="project")
    return found


def _total_changed() -> TotalChanged:
    return TotalChanged(_("New usage or new rates arrived since the preview; please look at it again."))


def create_all(
    *, actor: Actor, start: date | None, end: date | None, expected: Mapping[str, str] | None = None,
    on_progress: Callable[[int, int, str], None] | None = None,
) -> Run:  # fmt: skip
    """Receipts for everybody with unbilled usage. A user whose receipt fails is parked and the run goes on.

    ``expected`` maps users to the tokens of their previews: then only they get receipts,
    and one whose preview no longer fits is parked. ``on_progress`` hears before each user how many are done, of
    how many, and who is next.
    """
    billable.check_window(start, end)
    receipts: list[Receipt] = []
    failed: dict[str, str] = {}
    known = set(User.objects.values_list("username", flat=True))
    names = billable.usernames_to_bill(start, end)
    for done, username in enumerate(names):
        if on_progress:
            on_progress(done, len(names), username)
        if username not in known or (expected is not None and username not in expected):
            continue
        token = expected[username] if expected is not None else None
        try:
            receipts += create_receipts(actor=actor, username=username, start=start, end=end, expected=token)
        except AppError as error:
            failed[username] = error.message
    return Run(receipts, billable.skipped_jobs(start, end), failed)


def mark_paid(*, actor: Actor, receipt: Receipt, method: str, tx_ref: str, paid_at: datetime | None = None) -> bool:
    """pending -> paid, once. Returns False when it was paid already; raises ``InvalidTransition`` when void."""
    with transaction.atomic():
        moved = transition_held(  # nothing else of it ever changes
            receipt, ReceiptStatus.PAID, table=RECEIPT_TRANSITIONS,
            method=method, tx_ref=tx_ref, paid_at=paid_at or timezone.now(),
        )  # fmt: skip
        if moved:
            audit.record(
                actor=actor, action="mark_paid", target=str(receipt.pk), entity=receipt,
                changes={"status": [ReceiptStatus.PENDING, ReceiptStatus.PAID]},
                extra={"method": method, "tx_ref": tx_ref, "paid_at": receipt.paid_at, "total": receipt.total,
                       "currency": receipt.currency},
            )  # fmt: skip
            transaction.on_commit(lambda: metrics.receipt_moved("paid"))
    return moved


def mark_paid_by_hand(*, actor: Actor, receipt: Receipt, tx_ref: str, second: Approval | None = None) -> bool:
    """``mark_paid`` on the word of a person, who saw the money; ``tx_ref`` is the bank's reference.

    Above ``FOUR_EYES_ABOVE`` a second person confirms it first: without ``second``, their
    approval of this very act, it is written down and ``WaitsForSecond`` raised.
    """
    check_not_own(actor, receipt, second)
    alone = lone_act(actor, "mark_paid", receipt, receipt.total)
    if second is None and receipt.status == ReceiptStatus.PENDING and takes_second(alone):
        ask_and_stop(
            actor=actor, act="mark_paid", target=receipt.pk, label=str(receipt), amount=receipt.total,
            currency=receipt.currency, details={"tx_ref": tx_ref},
        )  # fmt: skip
    with transaction.atomic():
        moved = mark_paid(actor=actor, receipt=receipt, method="manual", tx_ref=tx_ref)
        if moved and second is None and receipt.total:
            count_alone(alone)
    return moved


def mark_refunded(*, actor: Actor, receipt: Receipt) -> bool:
    """paid -> refunded: all of its money went back. The jobs stay on it until it is voided."""
    return _follow_money(actor, receipt, ReceiptStatus.REFUNDED, "receipt_refunded")


def mark_paid_again(*, actor: Actor, receipt: Receipt) -> bool:
    """refunded -> paid: a refund failed after all, or a lost dispute was won."""
    return _follow_money(actor, receipt, ReceiptStatus.PAID, "receipt_paid_again")


@transaction.atomic
def _follow_money(actor: Actor, receipt: Receipt, status: ReceiptStatus, action: str) -> bool:
    before = receipt.status
    moved = transition(receipt, status, table=RECEIPT_TRANSITIONS)
    if moved:
        audit.record(
            actor=actor, action=action, target=str(receipt.pk), entity=receipt,
            changes={"status": [before, receipt.status]}, extra={"total": receipt.total, "currency": receipt.currency},
        )  # fmt: skip
        transaction.on_commit(lambda: metrics.receipt_moved("refunded" if status == ReceiptStatus.REFUNDED else "paid"))
    return moved


def void_receipt(*, actor: Actor, receipt: Receipt, reason: str, adjusts: bool = False) -> bool:
    """pending or refunded -> void. The lines stay as history, the jobs become billable again. Needs a reason.

    Raises ``MonthClosed`` when a job of it ended in a closed month; ``adjusts`` says that an
    adjustment is being written for that (``services.months`` alone does).
    """
    if not reason.strip():
        raise BadInput(_("Say why the receipt is voided."), field="reason")
    with transaction.atomic():
        lock_for_transaction("months", shared=True)
        if not adjusts and (months := closed_months_of(receipt)):
            words = _("%(number)s holds jobs of %(months)s, which is closed; void it by an adjustment of that month.")
            raise MonthClosed(words % {"number": receipt, "months": ", ".join(map(str, months))})
        before = receipt.status
        moved = transition(
            receipt, ReceiptStatus.VOID, table=RECEIPT_TRANSITIONS,
            voided_at=timezone.now(), voided_by=actor.name, void_reason=reason.strip(),
        )  # fmt: skip
        if moved:
            ReceiptItem.objects.filter(receipt=receipt).update(is_live=False)
            jobs = release_jobs(document=receipt.claim)
            overtake(actor=actor, act="mark_paid", target=receipt.pk, note=_("The receipt was voided."))
            audit.record(
                actor=actor, action="receipt_void", target=str(receipt.pk), entity=receipt,
                changes={"status": [before, ReceiptStatus.VOID]},
                extra={"reason": reason.strip(), "jobs_released": jobs},
            )  # fmt: skip
            transaction.on_commit(lambda: metrics.receipt_moved("void"))
    return moved


def check_note(note: str) -> str:
    """Words that go on the document: printable, at most 500 characters. Raises ``BadInput``."""
    note = note.strip()
    if len(note) > LONGEST_NOTE or any(not character.isprintable() and character not in "\r\n" for character in note):
        raise BadInput(_("The note: at most %(n)d printable characters.") % {"n": LONGEST_NOTE}, field="note")
    return note


def site_seller() -> dict[str, str]:
    """Who issues documents, as set now; each document keeps its own copy."""
    return {
        "name": settings.ORG_NAME,
        "address": settings.ORG_ADDRESS,
        "tax_id": settings.ORG_TAX_ID,
        "email": settings.ORG_EMAIL,
    }


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the receipts of one order have in common."""

    actor: Actor
    user: User
    start: date
    end: date
    now: datetime
    note: str
    adjusts: date | None
    project: LedProject | None = None


def _create_one(draft: _Draft, group: Group, candidates: JobQuerySet) -> Receipt | None:
    """Header, claim, lines, total, number: the same statements for one job or for a hundred thousand."""
    version, tax, project = group.version, billable.site_tax(), draft.project
    receipt = Receipt.objects.create(
        user=draft.user, start=draft.start, end=draft.end, issued_on=today(), currency=settings.PAYMENT_CURRENCY,
        pricing_tier=group.tier, tier_names={"en": group.tier.name, "th": group.tier.name_th},
        tier_by_account=group.reasons, tier_reason=group.reason, rate_version=version, rate_cpu=version.cpu,
        rate_gpu=version.gpu, rate_mem=version.mem, cpu_basis=version.cpu_basis, rates_locked_at=draft.now,
        price_at=settings.BILLING_PRICE_AT, tax_label=tax.label, tax_rate=tax.rate, tax_inclusive=tax.inclusive,
        seller=site_seller(), note=draft.note, adjusts_month=draft.adjusts, created_by=draft.actor.name,
        project_id=project.pk if project else None, project_name=project.name if project else "",
    )  # fmt: skip
    if not claim_jobs(group.jobs(candidates), document=receipt.claim):
        receipt.delete()  # every job of the group lacks what this CPU basis needs
        return None
    try:
        _insert_items(receipt, group)
    except DataError as error:  # PostgreSQL says it at the first line
        raise _too_much() from error
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {sql.money_sum_sql('cost')}, MAX(cpu_core_hours), MAX(gpu_hours), MAX(mem_gb_hours)"
            " FROM receipt_items WHERE receipt_id = %s",
            [receipt.pk],
        )
        total, *largest = cursor.fetchone()
    sums = apply(tax, sql.money_from_sql(total))
    if sums.total >= MOST or max(largest) >= MOST_HOURS:
        raise _too_much()
    receipt.subtotal, receipt.tax_amount, receipt.total = sums.subtotal, sums.tax, sums.total
    _issue(receipt)
    return receipt


def _too_much() -> Conflict:
    return Conflict(_("The jobs come to more than a receipt can hold: the record of one of them cannot be right."))


def _issue(receipt: Receipt) -> None:
    """Give it its number and the hash of its content: from here on nothing of it changes but its state."""
    number = next_number(RECEIPTS, settings.BILLING_RECEIPT_PREFIX, receipt.issued_on)
    receipt.document_number, receipt.fiscal_year, receipt.serial = number.text, number.fiscal_year, number.serial
    receipt.save()
    receipt.refresh_from_db()  # amounts in the places of their columns
    receipt.digest = digest_of(receipt)
    receipt.save(update_fields=["digest"])


def _insert_items(receipt: Receipt, group: Group) -> None:
    cpu, gpu, mem = billable.hour_columns(group)
    sql.prepare()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO receipt_items (receipt_id, job_key, job_id_display, cpu_core_hours, gpu_hours, mem_gb_hours,"
            f" cost, is_live) SELECT %s, job_key, job_id_display, cpu, gpu, mem, {billable.price_sql()}, TRUE FROM"
            f" (SELECT job_key, job_id_display, {cpu} AS cpu, {gpu} AS gpu, {mem} AS mem FROM jobs"
            " WHERE claimed_by = %s ORDER BY job_key) h",
            [receipt.pk, *billable.rate_parameters(group.version), receipt.claim],
        )
