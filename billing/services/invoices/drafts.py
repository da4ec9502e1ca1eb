"""Drafts of invoices: made, computed anew, taken back. A slice of organisations costs as many statements as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Organisation
from audit import services as audit
from billing.invoicing import fees, jobs, plain_usage
from billing.invoicing.assembly import Built, build
from billing.invoicing.exchange import books_of
from billing.invoicing.meters import metered
from billing.invoicing.months import Month, months_of
from billing.invoicing.usage import series_of, users_of
from billing.models import (
    INVOICE_TRANSITIONS,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    InvoiceTax,
    SubscriptionCharge,
)
from billing.selectors.fee_discounts import asked_of
from billing.selectors.pricing.discounts import discount_tables
from billing.selectors.pricing.prices import PriceBook
from billing.selectors.pricing.taxes import tax_table
from billing.selectors.pricing.usage_prices import price_tables
from core.clock import now_for
from core.context import Actor
from core.database import sets
from core.database.locks import lock_for_transaction
from core.errors import BadInput, Conflict
from core.periods import month_start
from core.states import transition
from usage.services.claims import claim_jobs_by_account, release_jobs_of

KEPT = ("subtotal", "discount", "tax", "total", "amount_due", "currency", "tax_inclusive", "original_currency",
        "exchange_rate", "conversion_date", "conversion_source", "problems", "watermark", "updated_at")  # fmt: skip


class NotDraft(Conflict):
    """A finalized invoice never changes; a credit note corrects it."""

    code = "invoice_not_draft"


@dataclass(slots=True)
class Slice:
    """``drafted`` were made or computed anew, ``standing`` are finalized and stay; whose month has nothing to bill is
    in neither."""

    drafted: list[Invoice] = field(default_factory=list)
    standing: list[Invoice] = field(default_factory=list)


def draft_invoice(*, actor: Actor, organisation: Organisation, month: date) -> Invoice | None:
    """The invoice of this month as things stand: a new draft, the draft computed anew, or the finalized one untouched.
    None where there is nothing to bill."""
    made = draft_invoices(actor=actor, organisations=[organisation], month=month)
    return next(iter([*made.drafted, *made.standing]), None)


def refresh_invoice(*, actor: Actor, invoice: Invoice) -> Invoice:
    """Compute a draft anew: jobs and fees are let go and gathered again. Raises ``NotDraft``."""
    month = date(invoice.year, invoice.month, 1)
    draft_invoices(actor=actor, organisations=[invoice.organisation], month=month)
    invoice.refresh_from_db()
    if invoice.status != InvoiceStatus.DRAFT:
        raise NotDraft(_("%(invoice)s is no draft any more.") % {"invoice": invoice})
    return invoice


@transaction.atomic
@sets.unswept()
def draft_invoices(*, actor: Actor, organisations: Sequence[Organisation], month: date) -> Slice:
    """Drafts of these organisations' month, all or nothing. Raises ``BadInput`` for a month that has not begun."""
    made = Slice()
    for together in _by_clock(organisations):
        part = _draft_together(actor, together, month)
        made.drafted += part.drafted
        made.standing += part.standing
    return made


def _by_clock(organisations: Sequence[Organisation]) -> list[list[Organisation]]:
    """Those for whom it is the same time."""
    found: dict[int | None, list[Organisation]] = {}
    for each in organisations:
        found.setdefault(each.test_clock_id, []).append(each)
    return list(found.values())


def _draft_together(actor: Actor, organisations: Sequence[Organisation], month: date) -> Slice:
    lock_for_transaction("months", shared=True)
    lock_for_transaction("rates", shared=True)
    locked = lock_organisations([each.pk for each in organisations])
    now, made = now_for(locked[0]), Slice()
    months = {each.organisation.pk: each for each in months_of(locked, month)}
    if any(each.start > now for each in months.values()):
        raise BadInput(_("The month has not begun."), field="month")
    drafts: dict[int, Invoice] = {}
    for invoice in live_invoices(months, month_start(month)):
        if invoice.status == InvoiceStatus.DRAFT:
            drafts[invoice.organisation_id] = invoice
        else:
            made.standing.append(invoice)
            del months[invoice.organisation_id]
    if months:
        before = _let_go(drafts)
        made.drafted = _fill(actor, months, drafts, before, now)
    return made


def lock_organisations(keys: Iterable[int]) -> list[Organisation]:
    """One change of an organisation's invoices at a time; what refers to it may still be written."""
    rows = Organisation.objects.filter(pk__in=list(keys)).select_related("tier").order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def live_invoices(organisations: Iterable[int], first: date) -> list[Invoice]:
    rows = Invoice.objects.filter(organisation__in=list(organisations), year=first.year, month=first.month)
    return list(rows.exclude(status=InvoiceStatus.CANCELED).select_related("organisation").order_by("pk"))


def free_claims(invoices: Iterable[Invoice]) -> int:
    """Make jobs and fees of these documents billable again; the number of jobs."""
    claims = [each.claim for each in invoices]
    SubscriptionCharge.objects.filter(claimed_by__in=claims).update(claimed_by="")
    return release_jobs_of(claims)


Before = dict[int, tuple[Any, ...]]


def _let_go(drafts: dict[int, Invoice]) -> Before:
    """Empty these drafts, and remember what they said."""
    if not drafts:
        return {}
    rows = list(drafts.values())
    lines = InvoiceLine.objects.filter(invoice__in=rows)
    said: dict[int, list[Any]] = {each.pk: [] for each in rows}
    for invoice, *line in lines.order_by("line_number").values_list("invoice_id", "description", "quantity", "total"):
        said[invoice].append(tuple(line))
    free_claims(rows)
    lines.delete()
    InvoiceTax.objects.filter(invoice__in=rows).delete()
    return {each.pk: (each.total, each.problems, said[each.pk]) for each in rows}


def _fill(
    actor: Actor, months: dict[int, Month], drafts: dict[int, Invoice], before: Before, now: datetime
) -> list[Invoice]:
    of_months = list(months.values())
    charges, using = fees.charges_of(of_months), users_of(of_months)
    work = jobs.find_work(of_months, PriceBook.load(now))
    calling = {pk for pk, found in charges.items() if fees.call_for_an_invoice(found)}
    wanted = {*drafts, *calling, *using, *work.organisations, *work.problems}
    charges = {pk: found for pk, found in charges.items() if pk in wanted}
    months = {pk: month for pk, month in months.items() if pk in wanted}
    if not months:
        return []
    new = [_blank(actor, month, now) for pk, month in months.items() if pk not in drafts]
    for invoice, key in zip(new, sets.new_keys(Invoice, len(new)), strict=True):
        invoice.pk = key  # jobs and fees carry it before it is written
    again, drafts = set(drafts), drafts | {each.organisation_id: each for each in new}
    tables, books = price_tables(months, of_months[0].first), books_of(months.values())
    taxes = tax_table(months, of_months[0].first)
    by_meter = metered(list(months.values()), tables)
    discounts = discount_tables(months, of_months[0].first)
    asked = asked_of(charge for found in charges.values() for charge in found)
    _claim(work, drafts, charges)
    job_lines = jobs.lines_of(work, {pk: each.claim for pk, each in drafts.items()}, books)
    # of the others even the usage is not plain: something comes before it, is taken off it, or was said of it before
    others = {*work.organisations, *work.problems, *by_meter.metrics, *(pk for pk in months if discounts[pk])}
    others |= {*again, *(pk for pk, found in charges.items() if any(each.amount < 0 for each in found))}
    keys = {pk: each.pk for pk, each in drafts.items() if pk in using - others}
    written = plain_usage.write([months[pk] for pk in keys], keys, tables, taxes)
    series = series_of([month for pk, month in months.items() if pk not in written])
    built = [
        build(
            month=month, invoice=drafts[pk], table=tables[pk], book=books[month.last_instant],
            discounts=discounts[pk], taxes=taxes,
            series=[*series.get(pk, []), *by_meter.series.get(pk, [])], job_lines=job_lines.get(pk, []),
            by_meter=by_meter.metrics.get(pk, frozenset()), charges=charges.get(pk, []), asked=asked,
            problems=work.problems.get(pk, []), now=now, written=written.get(pk, ()),
        )
        for pk, month in months.items()
    ]  # fmt: skip
    return _write(actor, built, before)


def _blank(actor: Actor, month: Month, now: datetime) -> Invoice:
    return Invoice(
        organisation=month.organisation, month=month.first.month, year=month.first.year, currency=month.currency,
        created_by=actor.name, created_at=now,
    )  # fmt: skip


def _claim(work: jobs.Work, drafts: dict[int, Invoice], charges: dict[int, list[SubscriptionCharge]]) -> None:
    """Jobs that somebody else took meanwhile are not on the lines: those are summed over what was got."""
    for candidates, accounts in work.claimable():
        documents = {account: drafts[organisation].claim for account, organisation in accounts.items()}
        claim_jobs_by_account(candidates, documents=documents)
    claims = {charge.pk: (drafts[pk].claim,) for pk, found in charges.items() for charge in found}
    sets.update(SubscriptionCharge, claims, ["claimed_by"])


def _write(actor: Actor, built: list[Built], before: Before) -> list[Invoice]:
    kept = [each for each in built if each.number_of_lines or each.invoice.problems or each.invoice.pk in before]
    sets.insert(Invoice, [each.invoice for each in kept if each.invoice.pk not in before])
    again = [each.invoice for each in kept if each.invoice.pk in before]
    sets.update(Invoice, {each.pk: [getattr(each, name) for name in KEPT] for each in again}, KEPT)
    sets.insert(InvoiceLine, [line for each in kept for line in each.lines])
    sets.insert(InvoiceTax, [tax for each in kept for tax in each.taxes])
    links = Invoice.discounts.through
    if again:
        links.objects.filter(invoice__in=[each.pk for each in again]).delete()
    sets.insert(
        links, [links(invoice_id=each.invoice.pk, discount_id=row.pk) for each in kept for row in each.discounts]
    )
    audit.record_all(actor=actor, entries=[entry for each in kept if (entry := _note(each, before))])
    sets.forget_plans()
    return [each.invoice for each in kept]


def _note(built: Built, before: Before) -> audit.Entry | None:
    """A draft that came out as it was needs no entry."""
    invoice = built.invoice
    says = (invoice.total, invoice.problems, [(line.description, line.quantity, line.total) for line in built.lines])
    if before.get(invoice.pk) == says:
        return None
    return audit.Entry(
        "invoice_refresh" if invoice.pk in before else "invoice_draft", str(invoice.pk), entity=invoice,
        extra={"organisation": invoice.organisation.name, "month": f"{invoice.year}-{invoice.month:02d}",
               "lines": built.number_of_lines, "total": invoice.total, "currency": invoice.currency,
               "problems": [each["code"] for each in invoice.problems]},
    )  # fmt: skip


@transaction.atomic
def cancel_draft(*, actor: Actor, invoice: Invoice, reason: str) -> bool:
    """draft -> canceled: its jobs and fees can be billed again. False when it was canceled already. Needs a reason;
    raises ``NotDraft`` for a finalized one, which only a credit note takes back."""
    reason = reason.strip()[:255]
    if not reason:
        raise BadInput(_("Say why the draft is canceled."), field="reason")
    lock_organisations([invoice.organisation_id])
    invoice.refresh_from_db()
    if invoice.status not in (InvoiceStatus.DRAFT, InvoiceStatus.CANCELED):
        raise NotDraft(_("%(invoice)s is finalized: write a credit note.") % {"invoice": invoice})
    moved = transition(
        invoice,
        InvoiceStatus.CANCELED,
        table=INVOICE_TRANSITIONS,
        canceled_at=now_for(invoice.organisation),
        cancel_reason=reason,
    )
    if moved:
        released = free_claims([invoice])
        audit.record(
            actor=actor, action="invoice_cancel", target=str(invoice.pk), entity=invoice,
            changes={"status": [InvoiceStatus.DRAFT, InvoiceStatus.CANCELED]},
            extra={"reason": reason, "jobs_released": released, "total": invoice.total, "currency": invoice.currency},
        )  # fmt: skip
    return moved
