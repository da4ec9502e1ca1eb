"""Send the e-mails that wait in the outbox."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from accounts.models import EmailNotification, EmailStatus
from accounts.services.sending import due, send_due
from core.commands import EXIT_PARTIAL, AppCommand


class Command(AppCommand):
    help = "Send the e-mails whose time has come; what the server refuses is tried again later, five times."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, send nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        waiting = EmailNotification.objects.filter(status=EmailStatus.PENDING)
        if options["dry_run"]:
            return {"due": due().count(), "waiting": waiting.count()}
        counts = send_due()
        if counts["retried"] or counts["failed"]:
            self.exit_code = EXIT_PARTIAL
        return {**counts, "waiting": waiting.count()}
