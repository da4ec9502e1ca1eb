"""Fill an empty database with the demo world."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.services.users import demo_cast
from core.commands import AppCommand
from core.errors import Conflict
from hpcbilling import seeding


class Command(AppCommand):
    help = "Demo world: users, sample usage, receipts in every state, payments. DEBUG=1 only."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing when there is usage already")
        parser.add_argument("--dry-run", action="store_true", help="do it, show it, undo it")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if seeding.is_made() or (options["if_empty"] and not seeding.is_empty()):
            return self._result("already there", {})
        if not seeding.is_empty():
            raise Conflict("The database holds usage or receipts already; the demo world needs an empty one.")
        with transaction.atomic():
            made = seeding.seed()
            if options["dry_run"]:
                transaction.set_rollback(True)
        return self._result("made", {"jobs": made.jobs, "receipts": made.receipts, "payments": made.payments})

    def _result(self, demo_world: str, counts: dict[str, Any]) -> dict[str, Any]:
        return {"demo_world": demo_world, **counts, "site": settings.SITE_BASE_URL,
                "logins": [[m.username, m.password, m.role] for m in demo_cast(settings.DEMO_USERS)]}  # fmt: skip

    def describe(self, result: dict[str, Any]) -> str:
        lines = [f"Demo world: {result['demo_world']}"]
        if "jobs" in result:
            states = ", ".join(f"{number} {state}" for state, number in result["receipts"].items())
            lines.append(f"{result['jobs']} jobs; receipts: {states}; {result['payments']} payments")
        lines += ["", f"  Pages    {result['site']}/", f"  Console  {result['site']}/admin/", "", "Logins"]
        lines += [f"  {name:<10} {password:<12} {role}" for name, password, role in result["logins"]]
        return "\n".join(lines)
