"""Credit notes: they take a finalized invoice back, in whole, in part or line by line; it itself never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Approval
from accounts.services.approvals import ask_and_stop, count_alone, takes_second
from audit import services as audit
from billing.announcements import CANCELED, tell_of_invoice, tell_of_note
from billing.debtors import check_not_own
from billing.invoicing.crediting import Taken
from billing.models import (
    INVOICE_TRANSITIONS,
    CreditEntry,
    CreditNote,
    CreditNoteLine,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    TemplateKind,
)
from billing.selectors.documents.credit_plans import NotCreditable, plan_credit
from billing.selectors.documents.credits import is_kept, kept_lines, lefts_of
from billing.selectors.documents.invoice_digest import note_digest
from billing.selectors.documents.templates import template_for
from billing.services.invoices.drafts import free_claims, lock_organisations
from billing.services.invoices.dunning import follow_dues
from billing.services.invoices.issue import settle_if_paid
from billing.services.invoices.kept_credits import follow_note
from billing.services.invoices.write_offs import take_back_write_off
from billing.services.lone_acts import lone_act
from billing.services.numbers import CREDIT_NOTES, document_number
from billing.services.receipts import TotalChanged
from core.clock import now_for, today_for
from core.context import Actor
from core.errors import BadInput
from core.states import transition

CREDITABLE = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID)


def write_credit_note(
    *, actor: Actor, invoice: Invoice, reason: str, lines: Mapping[int, Decimal | None] | None = None,
    cancel: bool = False, seen: Decimal | None = None, seen_notes: int | None = None, second: Approval | None = None,
) -> CreditNote:  # fmt: skip
    """Take back ``lines`` (number to amount as amounts stand on lines; None: what is left of it), or without it
    everything that is left.

    What was paid and is not due any more goes to the organisation's balance. ``cancel``: with nothing left, the invoice
    is canceled, and its jobs and fees can be billed anew. ``seen`` is what somebody saw taken back so far and
    ``seen_notes`` by how many notes: a form that is sent twice takes back once. What is taken back of an invoice that
    keeps a credit for the next one is kept, too. Above ``FOUR_EYES_ABOVE`` a second person confirms it first: without
    ``second`` it is tried, undone, written down and ``WaitsForSecond`` raised. Raises ``BadInput``, ``NotCreditable``,
    ``TotalChanged``.
    """
    reason = reason.strip()[:255]
    if not reason:
        raise BadInput(_("Say why it is taken back."), field="reason")
    check_not_own(actor, invoice, second)
    with transaction.atomic():
        lock_organisations([invoice.organisation_id])
        invoice.refresh_from_db()
        _check(invoice, seen, seen_notes)
        seen_now = {"seen": str(invoice.amount_credited), "seen_notes": invoice.credit_notes.count()}
        note, given = _take_back(actor, invoice, reason, lines, cancel)
        alone = lone_act(actor, "credit_invoice", invoice, given)
        waits = second is None and takes_second(alone)
        if waits:
            transaction.set_rollback(True)
        elif second is None:
            count_alone(alone)
    if waits:
        invoice.refresh_from_db()
        ask_and_stop(
            actor=actor, act="credit_invoice", target=invoice.pk, label=str(invoice), amount=given,
            currency=invoice.currency, details={"reason": reason, "lines": _plain(lines), "cancel": cancel, **seen_now},
        )  # fmt: skip
    return note


def _plain(lines: Mapping[int, Decimal | None] | None) -> dict[str, str | None] | None:
    if lines is None:
        return None
    return {str(number): None if amount is None else str(amount) for number, amount in lines.items()}


def _take_back(
    actor: Actor, invoice: Invoice, reason: str, lines: Mapping[int, Decimal | None] | None, cancel: bool
) -> tuple[CreditNote, Decimal]:
    """The note, and what it gives: where a credit is kept for the next invoice the note itself comes to less."""
    rows = {line.line_number: line for line in invoice.lines.order_by("line_number")}
    taken = plan_credit(invoice, list(rows.values()), lines)
    note = _write(actor, invoice, rows, taken, reason)
    moved = _follow(actor, invoice, note)
    _follow_kept(invoice, note, rows.values(), taken)
    nothing_left = _nothing_left(invoice, rows.values())
    if cancel and not nothing_left:
        raise BadInput(_("Only an invoice that is taken back in full can be canceled."), field="cancel")
    before = invoice.status
    released = _close(actor, invoice, cancel=cancel) if nothing_left else 0
    tell_of_note(note)
    if invoice.status == InvoiceStatus.CANCELED:
        tell_of_invoice(CANCELED, invoice)
    audit.record(
        actor=actor, action="invoice_credit", target=str(invoice), entity=note,
        changes={"status": [before, invoice.status]} if before != invoice.status else {},
        extra={"number": note.number, "invoice": invoice.pk, "reason": reason, "subtotal": note.subtotal,
               "tax": note.tax, "total": note.total, "currency": note.currency, "to_balance": moved,
               "due": invoice.amount_due, "canceled": cancel, "jobs_released": released, "digest": note.digest},
    )  # fmt: skip
    if invoice.status == InvoiceStatus.CANCELED:
        follow_dues(actor=actor, organisation=invoice.organisation)
    if not nothing_left:
        settle_if_paid(actor, invoice)
    kept = {number for number, line in rows.items() if is_kept(line)}
    return note, abs(sum((each.net + each.tax for each in taken if each.number not in kept), Decimal(0)))


def _check(invoice: Invoice, seen: Decimal | None, seen_notes: int | None) -> None:
    if invoice.status not in CREDITABLE:
        words = _("%(invoice)s is %(status)s; there is nothing to take back.")
        raise NotCreditable(words % {"invoice": invoice, "status": invoice.get_status_display()})
    if (seen is not None and seen != invoice.amount_credited) or (
        seen_notes is not None and seen_notes != invoice.credit_notes.count()
    ):
        raise TotalChanged(_("Something was taken back meanwhile; please look at it again."))


def _follow_kept(invoice: Invoice, note: CreditNote, rows: Iterable[InvoiceLine], taken: Sequence[Taken]) -> None:
    kept = {line.line_number: line for line in rows if is_kept(line)}
    for each in taken:
        if each.number in kept:
            follow_note(invoice=invoice, line=kept[each.number], note=note, less=each.net)


def _nothing_left(invoice: Invoice, rows: Iterable[InvoiceLine]) -> bool:
    """Where an invoice, or what is on it of one tax rate, comes to nothing its lines say it: some of them may stand
    against each other."""
    rows = list(rows)
    if invoice.amount_credited != invoice.total:
        return False
    kept = kept_lines(rows)
    if invoice.total and not kept:
        return True
    return not any(left.rest for left in lefts_of(invoice, rows) if not invoice.total or left.group in kept)


def _write(
    actor: Actor, invoice: Invoice, rows: Mapping[int, InvoiceLine], taken: Sequence[Taken], reason: str
) -> CreditNote:
    issued = today_for(invoice.organisation)
    number = document_number(CREDIT_NOTES, settings.BILLING_CREDIT_NOTE_PREFIX, issued, test=invoice.is_test)
    net, tax = (sum((getattr(each, name) for each in taken), Decimal(0)) for name in ("net", "tax"))
    note = CreditNote(
        invoice=invoice, number=number.text, fiscal_year=number.fiscal_year, serial=number.serial, issue_date=issued,
        reason=reason, currency=invoice.currency, subtotal=net, tax=tax, total=net + tax,
        template=template_for(invoice.organisation, TemplateKind.CREDIT_NOTE), created_by=actor.name,
        created_at=now_for(invoice.organisation),
    )  # fmt: skip
    lines = [CreditNoteLine(note=note, line=rows[each.number], net=each.net, tax=each.tax) for each in taken]
    note.digest = note_digest(note, [(line.line.line_number, line) for line in lines])
    note.save(force_insert=True)
    for line in lines:
        line.note = note
    CreditNoteLine.objects.bulk_create(lines)
    return note


def _follow(actor: Actor, invoice: Invoice, note: CreditNote) -> Decimal:
    """The sums of the invoice after the note. What was paid and is not due any more is the organisation's; returned.
    What was written off of it counts as due."""
    take_back_write_off(actor=actor, invoice=invoice, reason=f"credit note {note.number}", up_to=note.total)
    credited = invoice.amount_credited + note.total
    over = max(invoice.amount_paid + credited + invoice.amount_written_off - invoice.total, Decimal(0))
    paid = invoice.amount_paid - over
    if over:
        CreditEntry.objects.create(
            organisation=invoice.organisation, amount=over, currency=invoice.currency, invoice=invoice,
            credit_note=note, reason=f"credit note {note.number}", created_by=actor.name,
            created_at=now_for(invoice.organisation),
        )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(
        amount_credited=credited, amount_paid=paid,
        amount_due=invoice.total - paid - credited - invoice.amount_written_off,
    )  # fmt: skip
    invoice.refresh_from_db()
    return over


def _close(actor: Actor, invoice: Invoice, *, cancel: bool) -> int:
    """All of it was taken back: paid ones are refunded (their money is in the balance), open ones settled; with
    ``cancel`` jobs and fees are free again. The number of jobs that are."""
    if not cancel:
        if invoice.status == InvoiceStatus.PAID:
            transition(invoice, InvoiceStatus.REFUNDED, table=INVOICE_TRANSITIONS)
        else:
            settle_if_paid(actor, invoice)
        return 0
    if invoice.status == InvoiceStatus.PAID:
        transition(invoice, InvoiceStatus.FINALIZED, table=INVOICE_TRANSITIONS, paid_at=None)
    transition(
        invoice, InvoiceStatus.CANCELED, table=INVOICE_TRANSITIONS, canceled_at=now_for(invoice.organisation),
        cancel_reason=invoice.credit_notes.order_by("-pk").values_list("reason", flat=True)[0],
    )  # fmt: skip
    return free_claims([invoice])
