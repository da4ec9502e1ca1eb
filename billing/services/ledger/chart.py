"""The chart of accounts and the columns that a site begins with; finance changes both in the console."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from billing.ledger.chart import OUTPUT_TAX, default_of, output_tax, roles
from billing.models import ExportColumn, LedgerAccount
from billing.selectors.journal_export import DEFAULT_COLUMNS


def ensure_chart() -> None:
    """An account for every role that has none. Runs after every ``migrate``; what is there stays as it is."""
    wanted = roles(settings.PAYMENT_PROVIDERS)
    known = set(LedgerAccount.objects.values_list("role", flat=True))
    new = {role: default_of(role) for role in wanted if role not in known}
    LedgerAccount.objects.bulk_create(
        [
            LedgerAccount(role=role, number=each.number, name=each.name, name_th=each.name_th)
            for role, each in new.items()
        ],
        ignore_conflicts=True,
    )
    if not ExportColumn.objects.exists():
        ExportColumn.objects.bulk_create(
            [ExportColumn(position=place * 10, field=name, head=name) for place, name in enumerate(DEFAULT_COLUMNS, 1)],
            ignore_conflicts=True,
        )


def ensure_tax_account(code: str, rate: Decimal) -> None:
    """An account for a tax at a rate, under the number that output tax has now; finance may give it another."""
    role = output_tax(code, rate)
    each, general = default_of(role), LedgerAccount.objects.filter(role=OUTPUT_TAX).first()
    LedgerAccount.objects.get_or_create(
        role=role,
        defaults={"number": general.number if general else each.number, "name": each.name, "name_th": each.name_th,
                  "cost_centre": general.cost_centre if general else ""},
    )  # fmt: skip
