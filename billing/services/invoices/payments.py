"""Money that came in for an invoice: by hand here, from a provider by ``payments``, which calls the same."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Approval
from accounts.services.approvals import ask_and_stop, count_alone, takes_second
from audit import services as audit
from billing.debtors import check_not_own
from billing.invoicing.sums import TOO_MUCH
from billing.models import CreditEntry, Invoice, InvoicePayment, InvoiceStatus
from billing.services.invoices.drafts import lock_organisations
from billing.services.invoices.issue import settle_if_paid
from billing.services.invoices.returns import follow_returns, returned
from billing.services.invoices.write_offs import take_back_write_off
from billing.services.lone_acts import lone_act
from core.clock import now_for, today_for
from core.context import Actor
from core.errors import BadInput, Conflict
from core.money import places
from core.words.wording import money_text

MANUAL = "manual"
PAYABLE = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID)
EARLIEST = timedelta(days=366)  # before the month that is billed: books are closed in order, from the first entry on


class NotPayable(Conflict):
    """Nobody asks for money by this document."""

    code = "invoice_not_payable"


class OtherAmount(Conflict):
    """This reference is on the invoice already, with another amount."""

    code = "payment_differs"


class NotReversible(Conflict):
    """Money that a provider or bank brought goes back there, and the invoice follows."""

    code = "payment_not_reversible"


@transaction.atomic
def record_payment(
    *, actor: Actor, invoice: Invoice, amount: Decimal, currency: str, method: str, reference: str,
    received_on: date | None = None, source: str = "", overpayment: Decimal | None = None,
) -> bool:  # fmt: skip
    """Money for a finalized invoice, in part or in full; paid when nothing is due any more. What is more than was due
    stays in the organisation's favour. False when this reference was recorded before. ``source`` names the payment
    that brought it (``payment:12``), as ``follow_returns`` does; ``overpayment``: what of it is more than was due, with
    another sum nothing happens (None: whatever it comes to).

    Raises ``BadInput`` by field, ``NotPayable``, ``OtherAmount``.
    """
    reference, received_on = " ".join(reference.split()), received_on or today_for(invoice.organisation)
    _check(invoice, amount, currency, reference, received_on)
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    # people type a slip's reference in capitals or not; the ids of providers differ by them
    alike = {"reference__iexact" if method == MANUAL else "reference": reference}
    same = InvoicePayment.objects.filter(invoice=invoice, method=method, **alike)
    before = same.order_by("-attempt").first()
    if before is not None and not is_reversed(before):
        if before.amount != amount:
            raise OtherAmount(_("This reference was recorded before, with another amount."))
        return False
    if invoice.status not in PAYABLE:
        words = _("%(invoice)s is %(status)s; nothing can be paid for it.")
        raise NotPayable(words % {"invoice": invoice, "status": invoice.get_status_display()})
    if overpayment is not None:
        check_overpayment(invoice, amount, overpayment)
    row = InvoicePayment.objects.create(
        invoice=invoice, amount=amount, currency=currency, method=method, reference=reference,
        received_on=received_on, source=source, created_by=actor.name, created_at=now_for(invoice.organisation),
        attempt=before.attempt + 1 if before is not None else 0,
    )  # fmt: skip
    take_back_write_off(actor=actor, invoice=invoice, reason=f"paid after all: {reference}", up_to=amount)
    used = min(amount, invoice.amount_due)
    if amount > used:
        CreditEntry.objects.create(
            organisation=invoice.organisation, amount=amount - used, currency=currency, invoice=invoice,
            reason=f"paid too much: {reference}"[:255], created_by=actor.name, created_at=now_for(invoice.organisation),
        )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(amount_paid=F("amount_paid") + used, amount_due=F("amount_due") - used)
    invoice.refresh_from_db()
    audit.record(
        actor=actor, action="invoice_payment", target=str(invoice), entity=invoice,
        extra={"payment": row.pk, "amount": amount, "currency": currency, "method": method, "reference": reference,
               "received_on": received_on, "to_balance": amount - used, "due": invoice.amount_due,
               **({"source": source} if source else {})},
    )  # fmt: skip
    settle_if_paid(actor, invoice)
    return True


def record_payment_by_hand(
    *, actor: Actor, invoice: Invoice, amount: Decimal, reference: str, received_on: date | None = None,
    overpayment: Decimal = Decimal(0), second: Approval | None = None,
) -> bool:  # fmt: skip
    """``record_payment`` on the word of a person, who saw the money. What is more than is due has to be said: a slip of
    the pen is not taken for money. Above ``FOUR_EYES_ABOVE`` a second one confirms it first: without ``second``, their
    approval of this very act, it is written down and ``WaitsForSecond`` raised."""
    check_not_own(actor, invoice, second)
    received_on = received_on or today_for(invoice.organisation)
    alone = lone_act(actor, "pay_invoice", invoice, amount)
    if second is None and invoice.status in PAYABLE and takes_second(alone):
        _check(invoice, amount, invoice.currency, reference.strip(), received_on)
        check_overpayment(invoice, amount, overpayment)
        ask_and_stop(
            actor=actor, act="pay_invoice", target=invoice.pk, label=str(invoice), amount=amount,
            currency=invoice.currency,
            details={"amount": str(amount), "reference": reference, "received_on": received_on.isoformat(),
                     "overpayment": str(overpayment)},
        )  # fmt: skip
    with transaction.atomic():
        done = record_payment(
            actor=actor, invoice=invoice, amount=amount, currency=invoice.currency, method=MANUAL, reference=reference,
            received_on=received_on, overpayment=overpayment,
        )  # fmt: skip
        if done and second is None:
            count_alone(alone)
    return done


def reverse_payment(*, actor: Actor, payment: InvoicePayment, reason: str, second: Approval | None = None) -> bool:
    """A payment that was written down by hand by mistake: it never came. What it had paid is due again, what of it lay
    in the organisation's favour is not there any more. False when that was said before.

    Above ``FOUR_EYES_ABOVE`` a second person confirms it first, as for the payment itself. Raises ``BadInput`` without
    a reason, ``NotReversible``, ``WaitsForSecond``.
    """
    if not reason.strip():
        raise BadInput(_("Say why."), field="reason")
    if payment.source:
        raise NotReversible(_("A provider or bank brought this money; it goes back there, and the invoice follows."))
    check_not_own(actor, payment.invoice, second)
    if is_reversed(payment):
        return False
    alone = lone_act(actor, "reverse_payment", payment.invoice, payment.amount)
    if second is None and takes_second(alone):
        label = f"{payment.invoice} · {payment.reference}"[:80]
        ask_and_stop(
            actor=actor, act="reverse_payment", target=payment.pk, label=label,
            amount=payment.amount, currency=payment.currency, details={"reason": reason.strip()[:255]},
        )  # fmt: skip
    with transaction.atomic():
        moved = follow_returns(
            actor=actor, invoice=payment.invoice, source=payment.as_source, gone=payment.amount,
            reason=reason.strip()[:255],
        )  # fmt: skip
        if moved and second is None:
            count_alone(alone)
    return bool(moved)


def is_reversed(payment: InvoicePayment) -> bool:
    """Whether it was written down by hand, and taken back."""
    return not payment.source and returned(payment.invoice, payment.as_source) > 0


def check_overpayment(invoice: Invoice, amount: Decimal, overpayment: Decimal) -> None:
    """Raises ``BadInput`` where another sum is more than is due (what was given up counts as due)."""
    over = max(amount - invoice.amount_due - invoice.amount_written_off, Decimal(0))
    if over != overpayment:
        words = _("%(over)s of it is more than is due. Where so much came, name it as overpayment.")
        if not over:
            words = _("Nothing of it is more than is due: it is no overpayment.")
        raise BadInput(words % {"over": money_text(over, invoice.currency)}, field="overpayment")


def _check_reference(reference: str) -> None:
    if not reference or len(reference) > 255:  # noqa: PLR2004 - of the column
        raise BadInput(_("Name the reference of the payment, 255 characters at most."), field="reference")
    if not reference.isprintable():  # two that look alike would be two payments
        raise BadInput(_("Write it without line breaks and characters that cannot be seen."), field="reference")


def _check(invoice: Invoice, amount: Decimal, currency: str, reference: str, received_on: date) -> None:
    if currency != invoice.currency:
        words = _("The invoice is in %(wanted)s, not in %(currency)s.")
        raise BadInput(words % {"wanted": invoice.currency, "currency": currency}, field="currency")
    if not amount.is_finite() or amount <= 0:
        raise BadInput(_("More than nothing."), field="amount")
    if amount > TOO_MUCH:
        raise BadInput(_("That is more than an invoice can hold."), field="amount")
    if amount != round(amount, places(currency)):
        raise BadInput(_("More decimal places than the currency has."), field="amount")
    _check_reference(reference)
    if received_on > today_for(invoice.organisation):
        raise BadInput(_("That day has not come yet."), field="received_on")
    if received_on < invoice.first_day - EARLIEST:
        raise BadInput(_("That is more than a year before the month of the invoice."), field="received_on")
