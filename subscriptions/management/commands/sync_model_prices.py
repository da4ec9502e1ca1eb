"""Bring the prices that models show in step with those in force."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from core.commands import AppCommand
from subscriptions.services.catalogue import show_current_prices


class Command(AppCommand):
    help = "Show AI prices that have come into force on their models. Prices never wait for this."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with transaction.atomic():
            changed = show_current_prices()
            if options["dry_run"]:
                transaction.set_rollback(True)
        return {"changed": changed}
