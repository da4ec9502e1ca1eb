"""End trials and subscriptions whose time is over."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from core.commands import AppCommand
from core.context import SYSTEM
from core.database.locks import run_lock
from subscriptions.services.ending import end_due


class Command(AppCommand):
    help = "End subscriptions whose time is over, and turn trials whose days are over into active subscriptions."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="do it, count it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        with run_lock("expire_subscriptions"):
            if not options["dry_run"]:
                done = end_due(actor=SYSTEM)
            else:
                with transaction.atomic():
                    done = end_due(actor=SYSTEM)
                    transaction.set_rollback(True)
        return {"expired": done.expired, "trials_ended": done.trials, "canceled": done.canceled}
