"""Journal entries as the ERP reads them: a line an entry and account, debit or credit, under the site's own heads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.ledger.chart import default_of
from billing.models import ExportColumn, JournalEntry, JournalExport, JournalPosting, LedgerAccount, SourceKind
from core.exports import CHUNK, Column, Kind, Row
from core.money import in_places

NOUGHT = Decimal(0)
Chart = dict[str, dict[str, str]]  # role -> number, name, name_th, cost_centre


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an entry: what is debited to an account, or credited to it (negative)."""

    entry: JournalEntry
    number: int
    role: str
    amount: Decimal
    months: str
    account: dict[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    label: str | Promise
    kind: Kind
    value: Callable[[Line], object]


def _customer(line: Line) -> str:
    return line.entry.organisation.name if line.entry.organisation else line.entry.user_id or ""


def _customer_id(line: Line) -> str:
    return str(line.entry.organisation.uuid) if line.entry.organisation else line.entry.user_id or ""


def _money(line: Line, amount: Decimal) -> Decimal:
    """The heads are the site's own: a file is not asked for its column of currencies."""
    return in_places(amount, line.entry.currency)


FIELDS: dict[str, Field] = {
    "entry": Field(_("entry"), Kind.INT, lambda line: line.entry.pk),
    "line": Field(_("line"), Kind.INT, lambda line: line.number),
    "date": Field(_("date"), Kind.DAY, lambda line: line.entry.date),
    "fact_date": Field(_("day of the fact"), Kind.DAY, lambda line: line.entry.fact_date),
    "period": Field(_("period"), Kind.TEXT, lambda line: f"{line.entry.date:%Y-%m}"),
    "account": Field(_("account number"), Kind.TEXT, lambda line: line.account["number"]),
    "account_name": Field(_("name"), Kind.TEXT, lambda line: line.account["name"]),
    "account_name_th": Field(_("name in Thai"), Kind.TEXT, lambda line: line.account["name_th"]),
    "cost_centre": Field(_("cost centre"), Kind.TEXT, lambda line: line.account["cost_centre"]),
    "role": Field(_("role"), Kind.TEXT, lambda line: line.role),
    "debit": Field(_("debit"), Kind.MONEY, lambda line: _money(line, max(line.amount, NOUGHT))),
    "credit": Field(_("credit"), Kind.MONEY, lambda line: _money(line, max(-line.amount, NOUGHT))),
    "amount": Field(_("amount (credit negative)"), Kind.MONEY, lambda line: _money(line, line.amount)),
    "currency": Field(_("currency"), Kind.TEXT, lambda line: line.entry.currency),
    "document": Field(_("document"), Kind.TEXT, lambda line: line.entry.document),
    "text": Field(_("text"), Kind.TEXT, lambda line: line.entry.text),
    "source": Field(_("made by"), Kind.TEXT, lambda line: line.entry.kind),
    "source_label": Field(_("made by, in words"), Kind.TEXT, lambda line: str(SourceKind(line.entry.kind).label)),
    "customer": Field(_("customer"), Kind.TEXT, _customer),
    "customer_id": Field(_("id of the customer"), Kind.TEXT, _customer_id),
    "month_earned": Field(_("month earned"), Kind.TEXT, lambda line: line.months),
    "takes_back": Field(_("takes back"), Kind.INT, lambda line: line.entry.reverses_id),
}
DEFAULT_COLUMNS = ("entry", "line", "date", "fact_date", "account", "account_name", "debit", "credit", "currency",
                   "document", "text", "source", "customer", "customer_id", "month_earned")  # fmt: skip


def chart() -> Chart:
    return {
        each.role: {"number": each.number, "name": each.name, "name_th": each.name_th,
                    "cost_centre": each.cost_centre}
        for each in LedgerAccount.objects.order_by("role")
    }  # fmt: skip


def account_of(found: Chart, role: str) -> dict[str, str]:
    if role in found:
        return found[role]
    each = default_of(role)
    return {"number": each.number, "name": each.name, "name_th": each.name_th, "cost_centre": ""}


def layout() -> list[list[str]]:
    """[field, head] of the columns, in order."""
    rows = [[row.field, row.head] for row in ExportColumn.objects.order_by("position") if row.field in FIELDS]
    return rows or [[name, name] for name in DEFAULT_COLUMNS]


def columns_of(heads: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """A head that nobody has changed is a word for people in the XLSX."""
    return tuple(Column(head, FIELDS[name].label if head == name else head, FIELDS[name].kind) for name, head in heads)


def lines_of(entries: QuerySet[JournalEntry], found: Chart) -> Iterator[Line]:
    """Debits first; a chunk of entries costs two statements."""
    last = 0
    while chunk := list(entries.filter(pk__gt=last).select_related("organisation").order_by("pk")[:CHUNK]):
        last = chunk[-1].pk
        sides = _sides([entry.pk for entry in chunk])
        for entry in chunk:
            ordered = sorted(sides[entry.pk].items(), key=lambda pair: (pair[1][0] < 0, pair[0]))
            for number, (role, (amount, months)) in enumerate(ordered, 1):
                yield Line(entry, number, role, amount, " ".join(sorted(months)), account_of(found, role))


def _sides(keys: Sequence[int]) -> dict[int, dict[str, tuple[Decimal, set[str]]]]:
    sums: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    months: dict[tuple[int, str], set[str]] = defaultdict(set)
    rows = JournalPosting.objects.filter(entry__in=list(keys)).order_by("entry_id", "position")
    names = ("entry_id", "debit", "debit_month", "credit", "credit_month", "amount")
    for entry, debit, debit_month, credit, credit_month, amount in rows.values_list(*names):
        for role, month, signed in ((debit, debit_month, amount), (credit, credit_month, -amount)):
            sums[entry][role] += signed
            if month:
                months[entry, role].add(f"{month:%Y-%m}")
    found: dict[int, dict[str, tuple[Decimal, set[str]]]] = defaultdict(dict)
    for entry, of_role in sums.items():
        for role, amount in of_role.items():
            if amount:
                found[entry][role] = (amount, months[entry, role])
    return found


def rows_of(lines: Iterable[Line], heads: Sequence[Sequence[str]]) -> Iterator[Row]:
    values = [FIELDS[name].value for name, _head in heads]
    for line in lines:
        yield [value(line) for value in values]


def rows_of_export(export: JournalExport) -> Iterator[Row]:
    """The same file whenever it is asked for: with the accounts and columns of its day."""
    heads = [pair for pair in export.columns if pair[0] in FIELDS]
    entries = JournalEntry.objects.filter(exported__export=export)
    return rows_of(lines_of(entries, export.chart), heads)


def columns_of_export(export: JournalExport) -> tuple[Column, ...]:
    heads: list[Any] = [pair for pair in export.columns if pair[0] in FIELDS]
    return columns_of(heads)
