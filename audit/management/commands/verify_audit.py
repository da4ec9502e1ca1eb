"""Verify the hash chain of the audit log, and with --head that it still holds a sealed head."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from audit import chain
from core.commands import AppCommand
from core.errors import UsageError


class Command(AppCommand):
    reason = ""
    help = "Verify the audit chain. Exit 1 when a row was changed, removed or swapped; the row is named."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--head", metavar="FILE", help="a head written by seal_audit that the chain must contain")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        sealed, head = None, options["head"]
        if head:
            try:
                sealed = chain.open_seal(Path(head).read_text(encoding="utf-8"))
            except OSError as error:
                raise UsageError(f"The head file cannot be read: {error}") from error
        verdict = chain.verify(sealed)
        self.exit_code = 0 if verdict.ok else 1
        self.reason = verdict.reason
        return {"rows": verdict.rows, "ok": verdict.ok, "first_bad": verdict.first_bad, "head": verdict.head}

    def describe(self, result: dict[str, Any]) -> str:
        if result["ok"]:
            return f"The audit chain is intact: {result['rows']} rows, head {result['head']}"
        return f"The audit chain is BROKEN at row #{result['first_bad']}: {self.reason}"
