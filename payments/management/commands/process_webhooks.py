"""Work again on payment messages that could not be worked on when they came."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from core.commands import EXIT_PARTIAL, AppCommand
from payments.models import EventOutcome, PaymentEvent
from payments.services.webhooks import WAITING, process_pending


class Command(AppCommand):
    help = "Work on payment messages whose time has come: those that failed, and those whose worker died."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        waiting = PaymentEvent.objects.filter(outcome__in=WAITING)
        if options["dry_run"]:
            return {"due": waiting.filter(next_try_at__lte=timezone.now()).count(), "waiting": waiting.count()}
        counts = process_pending()
        if counts.get(EventOutcome.FAILED):
            self.exit_code = EXIT_PARTIAL
        outcomes = {outcome: counts.get(outcome, 0) for outcome in EventOutcome.values if outcome != "rejected"}
        return {**outcomes, "waiting": waiting.filter(next_try_at__isnull=False).count()}
