"""Warn of quotas that run out, suspend what is used up, resume what begins anew."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from core.commands import AppCommand
from core.context import SYSTEM
from usage.services.quota_watch import watch_quotas


class Command(AppCommand):
    help = "Warn at 80, 90 and 100 % of a quota, suspend subscriptions that used theirs up, resume those due."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return watch_quotas(actor=SYSTEM, dry_run=options["dry_run"]).as_dict()
