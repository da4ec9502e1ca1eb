"""Handing entries to the ERP: each goes out in one batch, and a batch can be taken again as often as it is needed."""

from __future__ import annotations

from datetime import date

from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.utils.translation import gettext as _

from audit import services as audit
from billing.models import JournalEntry, JournalExport
from billing.selectors.journal_export import chart, layout
from billing.services.ledger.journal import LOCK, post_journal
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput
from core.periods import month_end, month_start


def waiting(until: date | None = None) -> QuerySet[JournalEntry]:
    """Entries that are in no batch yet."""
    rows = JournalEntry.objects.filter(exported__isnull=True)
    return rows.filter(date__lte=until) if until else rows


def export_journal(*, actor: Actor, until: date) -> JournalExport | None:
    """A batch of all entries dated up to the end of this month that are in none yet; None where there are none.

    Everything that is there is posted first. Accounts and columns are kept as they are now. Raises ``BadInput`` for a
    month of no sense.
    """
    if not 2000 <= until.year <= 2199:  # noqa: PLR2004 - as everywhere else
        raise BadInput(_("There is no such month."), field="until")
    post_journal(actor=actor)
    return _export(actor, month_end(month_start(until)))


@transaction.atomic
def _export(actor: Actor, last_day: date) -> JournalExport | None:
    lock_for_transaction(LOCK)
    entries = waiting(last_day)
    number, first = entries.count(), entries.aggregate(first=Min("date"))["first"]
    if not number:
        return None
    batch = JournalExport.objects.create(
        first_day=first, last_day=last_day, entries=number, chart=chart(), columns=layout(), created_by=actor.name
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO journal_exported_entries (entry_id, export_id) SELECT e.id, %s FROM journal_entries e"
            " WHERE e.date <= %s AND NOT EXISTS (SELECT 1 FROM journal_exported_entries x WHERE x.entry_id = e.id)",
            [batch.pk, last_day],
        )
    audit.record(
        actor=actor, action="journal_export", target=str(batch), entity=batch,
        extra={"entries": number, "first_day": first, "last_day": last_day},
    )  # fmt: skip
    return batch
