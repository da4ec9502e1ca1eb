"""Prove the books: named invariants, silent when all is well."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from core.commands import AppCommand
from core.errors import UsageError
from hpcbilling.books import INVARIANTS


class Command(AppCommand):
    help = "Check the invariants of the books; silent and 0 when well, 1 with what is wrong. Names: " + ", ".join(
        INVARIANTS
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="only these invariants")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if unknown := [name for name in options["names"] if name not in INVARIANTS]:
            raise UsageError(f"Unknown invariant {', '.join(unknown)}; known are {', '.join(INVARIANTS)}.")
        wrong = {name: found for name in options["names"] or INVARIANTS if (found := INVARIANTS[name]())}
        self.exit_code = 1 if wrong else 0
        return {"ok": not wrong, "checked": options["names"] or list(INVARIANTS), "wrong": wrong}

    def describe(self, result: dict[str, Any]) -> str:
        return "\n".join(f"{name}: {line}" for name, lines in result["wrong"].items() for line in lines)
