"""Reminders of invoices that wait for their money, and the news that one is overdue: each once, in sets.

A run that was missed sends the latest reminder only. The row in ``invoice_notices`` is the claim: of two runs at the
same moment, the one whose row stands tells.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.bill_contacts import Contact, bill_contacts
from accounts.services.outbox import Letter, queue_emails, site_url
from audit import services as audit
from billing.announcements import tell_overdue
from billing.models import Invoice, InvoiceNotice, NoticeKind
from billing.selectors.documents.dues import step_of, unpaid
from billing.services.invoices.dunning import Followed, follow_all
from core.clock import of
from core.context import Actor
from core.periods import today

CHUNK = 500
MOST_NOTES = 100
KIND = "invoice_reminder"  # of the e-mail


@dataclass(slots=True)
class Reminded:
    """Invoices by what was done. ``by_step`` counts reminders by their day; ``off``: their organisation wants none;
    ``no_address``: nobody to write to, so that the next run tries again."""

    unpaid: int = 0
    reminded: int = 0
    by_step: dict[str, int] = field(default_factory=dict)
    off: int = 0
    no_address: int = 0
    overdue: int = 0
    followed: Followed = field(default_factory=Followed)
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.no_address and not self.followed.notes

    def as_json(self) -> dict[str, Any]:
        counted = ("unpaid", "reminded", "by_step", "off", "no_address", "overdue")
        moved = ("past_due", "suspended", "resumed")
        return {
            **{name: getattr(self, name) for name in counted},
            **{name: getattr(self.followed, name) for name in moved},
            "failed": len(self.followed.notes),
            "notes": [*self.notes, *self.followed.notes][:MOST_NOTES],
        }


def send_reminders(
    *, actor: Actor, day: date | None = None, dry_run: bool = False, organisations: Sequence[int] | None = None
) -> Reminded:
    """Write every reminder that is due on ``day`` (today), say which invoices are overdue, then let subscriptions
    follow: of these organisations, else of all real ones. With ``dry_run`` it is done, counted and undone."""
    if not dry_run:
        return _run(actor, day or today(), organisations)
    with transaction.atomic():
        done = _run(actor, day or today(), organisations)
        transaction.set_rollback(True)
    return done


def _run(actor: Actor, day: date, organisations: Sequence[int] | None) -> Reminded:
    done, last, size = Reminded(), 0, CHUNK
    while size == CHUNK:
        last, size = _chunk(actor, day, last, done, organisations)
    done.followed = follow_all(actor=actor, day=day, organisations=organisations)
    return done


@transaction.atomic
def _chunk(actor: Actor, day: date, after: int, done: Reminded, organisations: Sequence[int] | None) -> tuple[int, int]:
    """The next invoices by key, the same statements for any number: the last key, and how many there were."""
    horizon = day + timedelta(days=settings.DUNNING_REMIND_BEFORE_DAYS)
    found = (
        of(unpaid(), organisations)
        .filter(pk__gt=after, due_date__lte=horizon)
        .select_related("organisation")
        .order_by("pk")
    )
    rows = list(found.select_for_update(of=("self",), no_key=True)[:CHUNK])
    if not rows:
        return after, 0
    done.unpaid += len(rows)
    told = set(InvoiceNotice.objects.filter(invoice__in=rows).values_list("invoice", "kind", "step"))
    contacts, run = bill_contacts({row.organisation_id: row.organisation for row in rows}.values()), uuid.uuid4().hex
    notices = [
        *_reminders(rows, day, told, contacts, run, done),
        *(
            InvoiceNotice(invoice=row, kind=NoticeKind.OVERDUE, run=run)
            for row in rows
            if _days(row, day) > 0 and (row.pk, NoticeKind.OVERDUE, 0) not in told
        ),
    ]
    if notices:
        _tell(actor, {row.pk: row for row in rows}, notices, contacts, day, run, done)
    return rows[-1].pk, len(rows)


def _reminders(
    rows: Sequence[Invoice], day: date, told: set[tuple[int, str, int]], contacts: dict[int, Contact], run: str,
    done: Reminded,
) -> list[InvoiceNotice]:  # fmt: skip
    """Those whose latest day has come and that were not reminded of it."""
    wanted = []
    for row in rows:
        step = step_of(_days(row, day))
        if step is None or (row.pk, NoticeKind.REMINDER, step) in told:
            continue
        contact = contacts.get(row.organisation_id)
        if not row.organisation.bill_reminders:
            done.off += 1
        elif contact is None:
            done.no_address += 1
            if len(done.notes) < MOST_NOTES:
                done.notes.append(f"{row}: {row.organisation} has no address for bills")
        else:
            wanted.append(
                InvoiceNotice(
                    invoice=row, kind=NoticeKind.REMINDER, step=step, recipient=contact.address, run=run
                )
            )  # fmt: skip
    return wanted


def _tell(
    actor: Actor, rows: dict[int, Invoice], notices: list[InvoiceNotice], contacts: dict[int, Contact], day: date,
    run: str, done: Reminded,
) -> None:  # fmt: skip
    InvoiceNotice.objects.bulk_create(notices, ignore_conflicts=True)
    mine = list(InvoiceNotice.objects.filter(run=run).order_by("pk"))
    reminders = [each for each in mine if each.kind == NoticeKind.REMINDER]
    overdue = [rows[each.invoice_id] for each in mine if each.kind == NoticeKind.OVERDUE]
    queue_emails(_letter(rows[each.invoice_id], each, contacts, day) for each in reminders)
    tell_overdue(overdue)
    done.reminded += len(reminders)
    done.overdue += len(overdue)
    for each in reminders:
        done.by_step[str(each.step)] = done.by_step.get(str(each.step), 0) + 1
    if mine:
        audit.record(
            actor=actor, action="invoice_reminders", target="",
            extra={"reminders": len(reminders), "overdue": len(overdue), "run": run, "day": day},
        )  # fmt: skip


def _letter(row: Invoice, notice: InvoiceNotice, contacts: dict[int, Contact], day: date) -> Letter:
    contact, days = contacts[row.organisation_id], _days(row, day)
    context = {
        "invoice": row, "organisation": row.organisation.name, "late": max(days, 0), "left": max(-days, 0),
        "part_paid": row.amount_paid > 0, "url": site_url(row.get_absolute_url()),
    }  # fmt: skip
    return Letter(
        KIND, contact.address, contact.language, context, f"reminder:{row.pk}:{notice.step}", row.organisation_id,
        row.pk,
    )  # fmt: skip


def _days(row: Invoice, day: date) -> int:
    """That have passed since its due day."""
    assert row.due_date is not None  # noqa: S101 - every finalized invoice has one
    return (day - row.due_date).days
