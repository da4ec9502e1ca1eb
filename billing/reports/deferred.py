"""Fees of quarters and years that are not earned yet, as of any day, line by line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.ledger.facts import handfuls
from billing.ledger.of_fees import deferred_lines, nets_of, parts_of_note, schedule_of
from billing.ledger.schedule import earned_on
from billing.models import CreditNoteLine, InvoiceLine
from billing.reports.base import AS_OF, Asked, Report
from core.exports import Column, Kind, Row
from core.periods import month_start, today

COLUMNS = (
    Column("document", _("document")),
    Column("customer", _("customer")),
    Column("fee", _("fee")),
    Column("start", _("from"), Kind.DAY),
    Column("end", _("to"), Kind.DAY),
    Column("amount", _("invoiced"), Kind.MONEY),
    Column("taken_back", _("taken back"), Kind.MONEY),
    Column("earned", _("earned so far"), Kind.MONEY),
    Column("left", _("not earned yet"), Kind.MONEY),
    Column("currency", _("currency")),
    Column("invoice", _("invoice"), Kind.INT),
)


def rows(asked: Asked) -> Iterator[Row]:
    """Lines of which something is left on the day, by their keys: three statements a handful of lines."""
    day = asked.as_of or today()
    limits = asked.limits(currency="currency", organisation="invoice__organisation")
    found = deferred_lines().filter(invoice__issue_date__lte=day, **limits)
    for lines in handfuls(found):
        nets, back = nets_of(lines), _taken_back(lines, day)
        for line in lines:
            row = _row(line, nets[line.pk], back[line.pk], day)
            if row[8]:
                yield row


def _taken_back(lines: Sequence[InvoiceLine], day: date) -> dict[int, list[tuple[Decimal, date]]]:
    found: dict[int, list[tuple[Decimal, date]]] = defaultdict(list)
    notes = CreditNoteLine.objects.filter(line__in=[line.pk for line in lines], note__issue_date__lte=day)
    for line, net, issued in notes.order_by("pk").values_list("line_id", "net", "note__issue_date"):
        found[line].append((net, issued))
    return found


def _row(line: InvoiceLine, net: Decimal, notes: Sequence[tuple[Decimal, date]], day: date) -> list[Any]:
    issued = line.invoice.issue_date or line.invoice.first_day
    earned, taken = earned_by(schedule_of(line, net), issued, day), Decimal(0)
    for amount, on in notes:
        earned -= earned_by(parts_of_note(line, amount, taken), on, day)
        taken += amount
    zone = line.invoice.organisation.zone
    start, end = line.period_start, line.period_end
    return [
        str(line.invoice), line.invoice.organisation.name, line.description,
        start.astimezone(zone).date() if start else None, _last_day(end, zone), net, taken, earned,
        net - taken - earned, line.currency, line.invoice_id,
    ]  # fmt: skip


def _last_day(end: Any, zone: Any) -> date | None:
    return (end - timedelta(microseconds=1)).astimezone(zone).date() if end else None


def earned_by(schedule: Sequence[tuple[date, Decimal]], issued: date, day: date) -> Decimal:
    """What of it was earned by the end of ``day``, as the journal posts it: a month when it is over."""
    return sum(
        (part for month, part in schedule
         if earned_on(month, issued) <= day and month < month_start(today())),
        Decimal(0),
    )  # fmt: skip


def invoice_url(row: dict[str, Any]) -> str:
    return reverse("admin:billing_invoice_change", args=[row["invoice"]])


DEFERRED_REPORT = Report(
    name="deferred", title=_("Deferred revenue"),
    lead=_("Fees of quarters and years that were invoiced by the day and are not earned yet, without tax."),
    columns=COLUMNS, rows=rows, period=AS_OF, url=invoice_url,
)  # fmt: skip
