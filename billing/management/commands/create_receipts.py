"""Create receipts for unbilled usage."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

from django.db import transaction
from django.db.models import Count

from billing.models import Receipt
from billing.selectors.jobs.billable import skipped_jobs
from billing.services.receipts import Run, create_all, create_receipts
from core.commands import EXIT_PARTIAL, AppCommand, day
from core.context import SYSTEM
from core.errors import BadInput, UsageError

# Why jobs are left out; docs/pricing.md has the same words.
LEFT_OUT = {
    "not_ended": "jobs that have not ended, or whose end is not known",
    "free_state": "jobs that ended in a free state",
    "zero_time": "jobs that ran zero seconds",
    "runaway": "jobs held back as implausibly long",
    "billed_by_invoice": "jobs of organisations that are billed by invoice",
    "no_user": "jobs whose user has no account here: make one of that name in the console, or let people sign in",
    "no_cpu_time": "jobs whose rate counts CPU time used, which the source did not tell",
    "closed_month": "jobs of months that were closed before they arrived",
    "failed_users": "users whose receipts failed",
}


class Command(AppCommand):
    help = "Create receipts for the unbilled jobs of a window, one receipt for each user and tier."

    def add_options(self, parser: ArgumentParser) -> None:
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--user", metavar="U", help="one user")
        who.add_argument("--all", action="store_true", help="everybody with unbilled usage")
        parser.add_argument("--start", type=day, metavar="D", help="first day of job ends, such as 2026-10-01")
        parser.add_argument("--end", type=day, metavar="D", help="last day, included (default: today)")
        parser.add_argument("--dry-run", action="store_true", help="do it, show it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with transaction.atomic() if options["dry_run"] else nullcontext():
            try:
                run = _work(options)
            except BadInput as error:  # here that is a reversed window or an unknown user
                raise UsageError(error.message) from error
            result = {"receipts": _lines(run.receipts), "skipped": _skipped(run)}
            if options["dry_run"]:
                transaction.set_rollback(True)
        for username, reason in run.failed.items():
            self.stderr.write(f"{username}: {reason}")
        self.exit_code = EXIT_PARTIAL if run.failed else 0
        return result

    def describe(self, result: dict[str, Any]) -> str:
        lines = [
            f"receipt {row['id']:>6}  {row['username']:<16} {row['tier']:<10} {row['items']:>7} jobs"
            f"  {row['total']:>14} {row['currency']}"
            for row in result["receipts"]
        ]
        if not lines:
            lines = ["0 receipts made: nothing to bill in this window."]
        lines += [
            f"left out: {number:>7} {LEFT_OUT.get(reason, '')} ({reason})"
            for reason, number in result["skipped"].items()
        ]
        return "\n".join(lines)


def _work(options: dict[str, Any]) -> Run:
    window = {"start": options["start"], "end": options["end"]}
    if options["all"]:
        return create_all(actor=SYSTEM, **window)
    receipts = create_receipts(actor=SYSTEM, username=options["user"], **window)
    return Run(receipts, skipped_jobs(options["start"], options["end"], options["user"]))


def _lines(receipts: list[Receipt]) -> list[dict[str, Any]]:
    found = Receipt.objects.filter(pk__in=[receipt.pk for receipt in receipts]).annotate(lines=Count("items"))
    return [
        {
            "id": receipt.pk,
            "username": receipt.user_id,
            "tier": receipt.pricing_tier_id,
            "items": receipt.lines,
            "total": str(receipt.total),
            "currency": receipt.currency,
        }
        for receipt in found.order_by("pk")
    ]


def _skipped(run: Run) -> dict[str, int]:
    return {**run.skipped, "failed_users": len(run.failed)} if run.failed else run.skipped
