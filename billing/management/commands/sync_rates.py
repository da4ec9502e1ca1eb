"""Bring the table ``rates`` in step with versions that have come into force."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from billing.services.pricing.rates import sync_current_rates
from core.commands import AppCommand


class Command(AppCommand):
    help = "Show rates that have come into force in the table of current rates. Prices never wait for this."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with transaction.atomic():
            changed = sync_current_rates()
            if options["dry_run"]:
                transaction.set_rollback(True)
        return {"changed": changed}
