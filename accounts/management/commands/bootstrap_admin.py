"""Create the first administrator from ADMIN_PASSWORD."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from accounts.services.users import bootstrap_admin
from core.commands import AppCommand
from core.context import SYSTEM


class Command(AppCommand):
    help = "Make sure the superuser 'admin' exists, with the password of ADMIN_PASSWORD. Safe to run twice."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--reset", action="store_true", help="give an existing admin the password of ADMIN_PASSWORD"
        )
        parser.add_argument("--dry-run", action="store_true", help="do it, show it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        outcome = bootstrap_admin(
            actor=SYSTEM,
            password=settings.ADMIN_PASSWORD,
            reset=options["reset"],
            dry_run=options["dry_run"],
        )
        return {"username": "admin", "outcome": outcome}
