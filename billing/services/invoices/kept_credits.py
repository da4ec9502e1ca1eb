"""Credits that an invoice keeps for the next one: put down when it gets its number, and changed by its credit notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.invoicing.months import Month
from billing.models import ChargeKind, CreditNote, Invoice, InvoiceLine, InvoiceStatus, LineKind, SubscriptionCharge
from billing.selectors.documents.credit_plans import NotCreditable
from billing.selectors.documents.credits import lefts_of
from core.database.decimals import plain
from core.words.wording import money_text

FEW = 500
NUMBERED = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.REFUNDED)


def keep_credits(drafts: Sequence[Invoice]) -> None:
    """A credit that was larger than the rest of the invoice becomes one of the next month: of those that have a line of
    their own for it (``carried_lines``)."""
    if not drafts:
        return
    of_key = {invoice.pk: invoice for invoice in drafts}
    others = InvoiceLine.objects.filter(invoice__in=list(of_key), kind=LineKind.OTHER).order_by("pk")
    carried = [(of_key[line.invoice_id], line) for line in others if "carried" in line.source]
    if not carried:
        return
    origins = SubscriptionCharge.objects.in_bulk([line.source["charge"] for _invoice, line in carried])
    rows = [_kept(invoice, origins[line.source["charge"]], line.total, line) for invoice, line in carried]
    SubscriptionCharge.objects.bulk_create(rows, batch_size=FEW)


def follow_note(*, invoice: Invoice, line: InvoiceLine, note: CreditNote, less: Decimal) -> None:
    """After a credit note ``less`` is kept for the next invoice (below 0: more), ``line`` being that of the credit.

    Raises ``NotCreditable`` where it was used meanwhile: what used it has to be taken back first.
    """
    origin = SubscriptionCharge.objects.get(pk=line.source["charge"])
    if less < 0:
        row = _kept(invoice, origin, -less, line)
        row.explanation["note"] = note.number
        row.save(force_insert=True)
        return
    kept = SubscriptionCharge.objects.filter(
        explanation__carried_from=str(invoice), explanation__charge=origin.pk, kind=ChargeKind.CREDIT
    )
    drafts = {each.claim: each for each in _drafts(invoice)}
    rows = kept.exclude(claimed_by__startswith="note:").order_by("-pk").select_for_update(of=("self",), no_key=True)
    claim = f"note:{note.number}"
    for row in rows:
        if not less or (row.claimed_by and row.claimed_by not in drafts):
            continue
        part = min(less, -row.amount)
        if draft := drafts.get(row.claimed_by):
            # it holds what is not there any more: it is computed anew before it gets its number
            Invoice.objects.filter(pk=draft.pk).update(watermark=None)
        if part < -row.amount:
            rest = _kept(invoice, origin, -row.amount - part, line)
            rest.explanation = row.explanation
            rest.save(force_insert=True)
        SubscriptionCharge.objects.filter(pk=row.pk).update(amount=-part, claimed_by=claim)
        less -= part
    if less:
        less -= _from_taken_back(list(rows), less)
    if less:
        words = _("%(sum)s of the credit that %(invoice)s keeps was used on a later invoice; take that one back first.")
        raise NotCreditable(words % {"sum": money_text(less, invoice.currency), "invoice": invoice})


def _from_taken_back(rows: Sequence[SubscriptionCharge], less: Decimal) -> Decimal:
    """What later invoices used and have taken back in full, without being canceled: there it is no credit any more, and
    it is none here, once. How much of ``less`` that is."""
    over, found = _taken_back_in_full({row.claimed_by for row in rows}), Decimal(0)
    for row in (row for row in rows if row.claimed_by in over):
        undone = Decimal(row.explanation.get("undone", 0))
        part = min(less - found, -row.amount - undone)
        if part > 0:
            row.explanation["undone"] = plain(undone + part)
            row.save(update_fields=["explanation"])
            found += part
    return found


def _taken_back_in_full(claims: Iterable[str]) -> set[str]:
    keys = [int(claim.partition(":")[2]) for claim in claims if claim.startswith("invoice:")]
    invoices = Invoice.objects.filter(pk__in=keys, status__in=NUMBERED).prefetch_related("lines")
    return {
        each.claim for each in invoices if each.credit_notes.exists()
        and not any(left.rest for left in lefts_of(each, list(each.lines.all())))
    }  # fmt: skip


def _kept(
    invoice: Invoice, origin: SubscriptionCharge, amount: Decimal, line: InvoiceLine
) -> SubscriptionCharge:  # fmt: skip
    asked = {name: line.source[name] for name in ("net", "total") if name in line.source}
    return SubscriptionCharge(
        subscription_id=origin.subscription_id, kind=ChargeKind.CREDIT, price_id=origin.price_id,
        period_start=origin.period_start, period_end=origin.period_end, amount=-amount, currency=invoice.currency,
        due_at=Month(invoice.organisation, invoice.first_day).end,
        explanation={"carried_from": str(invoice), "charge": origin.pk, **asked},
    )  # fmt: skip


def _drafts(invoice: Invoice) -> Sequence[Invoice]:
    return list(Invoice.objects.filter(organisation=invoice.organisation_id, status=InvoiceStatus.DRAFT))
