"""Open a new checkout for payments that failed and whose time has come."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from core.commands import EXIT_PARTIAL, AppCommand
from payments.models import AttemptOutcome, Payment, PaymentStatus
from payments.services.retries import retry_due


class Command(AppCommand):
    help = "Try failed payments again: look whether the money came after all, else open a new checkout for the payer."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        scheduled = Payment.objects.filter(status=PaymentStatus.FAILED, next_retry_at__isnull=False)
        if options["dry_run"]:
            return {"due": scheduled.filter(next_retry_at__lte=timezone.now()).count(), "scheduled": scheduled.count()}
        counts = retry_due()
        if counts.get(AttemptOutcome.UNREACHABLE) or counts.get(AttemptOutcome.REFUSED):
            self.exit_code = EXIT_PARTIAL
        return {
            **{outcome: counts.get(outcome, 0) for outcome in AttemptOutcome.values},
            "scheduled": scheduled.count(),
        }
