"""Bad debt: what of an invoice nobody expects any more; due again by itself when it is paid or credited after all."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Approval
from accounts.services.approvals import ask_and_stop, count_alone, takes_second
from audit import services as audit
from billing.debtors import check_not_own
from billing.models import Invoice, InvoiceStatus, WriteOff
from billing.services.invoices.drafts import lock_organisations
from billing.services.lone_acts import lone_act
from core.clock import now_for, today_for
from core.context import Actor
from core.errors import BadInput, Conflict


class NothingDue(Conflict):
    """Only what is due can be written off, and only of an invoice that asks for money."""

    code = "nothing_due"


def write_off_invoice(
    *, actor: Actor, invoice: Invoice, reason: str, expected: Decimal | None = None, second: Approval | None = None
) -> WriteOff | None:
    """All that is due of a finalized invoice becomes bad debt; None when it was written off already.

    Above ``FOUR_EYES_ABOVE`` a second person confirms it first: without ``second`` it is written down and
    ``WaitsForSecond`` raised. Raises ``BadInput`` without a reason, ``NothingDue``, also when something else is due by
    now than ``expected``.
    """
    reason = _reason(reason)
    check_not_own(actor, invoice, second)
    if (
        second is None
        and invoice.amount_due
        and takes_second(lone_act(actor, "write_off", invoice, invoice.amount_due))
    ):
        ask_and_stop(
            actor=actor, act="write_off", target=invoice.pk, label=str(invoice), amount=invoice.amount_due,
            currency=invoice.currency, details={"reason": reason, "amount": str(invoice.amount_due)},
        )  # fmt: skip
    with transaction.atomic():
        row = _write_off(actor, invoice, reason, expected)
        if row is not None and second is None:
            count_alone(lone_act(actor, "write_off", invoice, row.amount))
    return row


@transaction.atomic
def _write_off(actor: Actor, invoice: Invoice, reason: str, expected: Decimal | None) -> WriteOff | None:
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    if invoice.status == InvoiceStatus.FINALIZED and invoice.amount_written_off and not invoice.amount_due:
        return None
    if invoice.status != InvoiceStatus.FINALIZED or not invoice.amount_due:
        raise NothingDue(_("Nothing is due of %(invoice)s.") % {"invoice": invoice})
    if expected is not None and expected != invoice.amount_due:
        raise NothingDue(_("Another sum is due of %(invoice)s by now; look at it again.") % {"invoice": invoice})
    row = _move(actor, invoice, invoice.amount_due, reason)
    audit.record(
        actor=actor, action="invoice_write_off", target=str(invoice), entity=invoice,
        extra={"write_off": row.pk, "amount": row.amount, "currency": row.currency, "reason": reason},
    )  # fmt: skip
    return row


@transaction.atomic
def take_back_write_off(
    *, actor: Actor, invoice: Invoice, reason: str, up_to: Decimal | None = None
) -> WriteOff | None:
    """What was written off is due again: all of it, or ``up_to``. None when nothing was. Locks the organisation."""
    reason = _reason(reason)
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    amount = invoice.amount_written_off if up_to is None else min(up_to, invoice.amount_written_off)
    if amount <= 0:
        return None
    row = _move(actor, invoice, -amount, reason)
    audit.record(
        actor=actor, action="invoice_write_off_back", target=str(invoice), entity=invoice,
        extra={"write_off": row.pk, "amount": amount, "currency": row.currency, "reason": reason},
    )  # fmt: skip
    return row


def _move(actor: Actor, invoice: Invoice, amount: Decimal, reason: str) -> WriteOff:
    row = WriteOff.objects.create(
        invoice=invoice, amount=amount, currency=invoice.currency, written_on=today_for(invoice.organisation),
        reason=reason, created_by=actor.name, created_at=now_for(invoice.organisation),
    )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(
        amount_written_off=F("amount_written_off") + amount, amount_due=F("amount_due") - amount
    )
    invoice.refresh_from_db()
    return row


def _reason(reason: str) -> str:
    if not reason.strip():
        raise BadInput(_("Say why."), field="reason")
    return reason.strip()[:255]
