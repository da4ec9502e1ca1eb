"""Ask the providers what really happened, and compare days with our books."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.db.models import Q

from core.commands import EXIT_PARTIAL, AppCommand, day
from core.database.locks import run_lock
from core.errors import AppError, UsageError
from core.money import from_minor
from core.periods import today
from core.words.wording import money_text
from payments import providers
from payments.models import Payment, ReconciliationDay
from payments.services.reconciliation import compare_days, sync_open

DAYS = 3


class Command(AppCommand):
    asked = True
    help = (
        "Read the provider's record of every payment, refund and dispute that may still move, and compare whole days"
        " with our books. Finds payments whose messages were all lost. Exit 3: a day differs, or something failed."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provider", metavar="P", help="one provider (default: all that are in use)")
        parser.add_argument("--start", type=day, metavar="D", help="first day to compare (default: two days ago)")
        parser.add_argument("--end", type=day, metavar="D", help="last day to compare, included (default: today)")
        parser.add_argument("--dry-run", action="store_true", help="compare only: nothing is written")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        end = options["end"] or today()
        start = options["start"] or end - timedelta(days=DAYS - 1)
        if start > end:
            raise UsageError("--start lies after --end.")
        names = [options["provider"]] if options["provider"] else providers.in_use()
        with run_lock("reconcile_payments"):
            self.asked = not options["dry_run"]
            result = {} if options["dry_run"] else sync_open(provider_names=names).as_json()
            errors = list(result.pop("errors", []))
            days: list[ReconciliationDay] = []
            for name in names:
                try:
                    days += compare_days(
                        provider=providers.provider(name), start=start, end=end, keep=not options["dry_run"]
                    )
                except AppError as error:
                    if len(names) == 1 and not result.get("checked"):
                        raise
                    errors.append(f"{name}: {error.message}")
        rows = [_row(each) for each in days]
        differing = sum(row["difference"] != "0" or bool(row["unknown"]) for row in rows)
        if errors or differing:
            self.exit_code = EXIT_PARTIAL
        return {**result, "days": rows, "differing": differing, "errors": errors}

    def describe(self, result: dict[str, Any]) -> str:
        counts = [f"{name:<13} {value}" for name, value in result.items() if isinstance(value, int)]
        rows = [
            f"{row['day']}  {row['provider']:<9} {row['currency']}  theirs {row['provider_net']:>14}"
            f"  ours {row['our_net']:>14}  difference {row['difference']}"
            + "".join(
                f"\n    {_whose(row['provider'], each, row['currency'], asked=self.asked)}" for each in row["unknown"]
            )
            for row in result["days"]
        ]
        return "\n".join([*counts, *rows, *(f"not done: {error}" for error in result["errors"])])


def _whose(provider: str, each: dict[str, Any], currency: str, *, asked: bool) -> str:
    """A payment of the provider's day that ours does not count: known here all the same, or nobody's; before payments
    were ``asked`` for, some are not known yet."""
    ours = Payment.objects.filter(
        Q(external_payment_id=each["id"]) | Q(external_charge_id=each["id"]), provider=provider
    )
    row = ours.only("pk", "status").first()
    said = f"payment {row.pk}, here {row.status}" if row else "nobody's" if asked else "not known here, or not yet"
    return f"{said}: {each['id']} ({money_text(from_minor(each['amount'], currency), currency)})"


def _row(row: ReconciliationDay) -> dict[str, Any]:
    theirs, ours = row.provider_cents - row.provider_refunded_cents, row.our_cents - row.our_refunded_cents
    amounts = {"provider_net": theirs, "our_net": ours, "difference": row.difference_cents}
    return {
        "provider": row.provider, "day": row.day.isoformat(), "currency": row.currency,
        "provider_count": row.provider_count, "our_count": row.our_count,
        **{name: "0" if not minor else str(from_minor(minor, row.currency)) for name, minor in amounts.items()},
        "unknown": row.unknown,
    }  # fmt: skip
