"""Encrypt stored secrets with the present key."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from accounts.services import stored_secrets
from core.commands import EXIT_PARTIAL, AppCommand
from core.context import SYSTEM


class Command(AppCommand):
    help = (
        "Encrypt seeds of second factors and secrets of webhooks with the present SECRET_KEY: those from before they "
        "were encrypted, and those that a former key (SECRET_KEY_FALLBACKS) has encrypted. Exit 3: some open with no "
        "key."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        found = stored_secrets.standing() if options["dry_run"] else stored_secrets.seal_all(actor=SYSTEM)
        if found.lost:
            self.exit_code = EXIT_PARTIAL
        return asdict(found)
