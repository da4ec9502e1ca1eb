"""Send the webhook messages that wait."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from accounts.models import DeliveryStatus, WebhookDelivery
from accounts.services.webhook_sending import due, send_due
from core.commands import EXIT_PARTIAL, AppCommand


class Command(AppCommand):
    help = "Send signed messages to webhook addresses: those whose time has come, and those whose sender died."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, send nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        waiting = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING)
        if options["dry_run"]:
            return {"due": due().count(), "waiting": waiting.count()}
        counts = send_due()
        if counts["failed"]:
            self.exit_code = EXIT_PARTIAL
        return {**counts, "waiting": waiting.count()}
