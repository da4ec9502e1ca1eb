"""Verify the hash chain of the audit log, and that it still holds every head that was signed."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from django.db import DatabaseError

from audit import chain, heads, keys
from audit.models import AuditVerification
from core.commands import AppCommand
from core.errors import UsageError


class Command(AppCommand):
    reason = ""
    help = "Verify the audit chain. Exit 1 when a row was changed, removed or swapped; the row is named."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--head", metavar="FILE",
            help="a head written by seal_audit, or a file of signed heads, that the chain must contain;"
            " the heads of AUDIT_HEADS_FILE are always looked at",
        )  # fmt: skip

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        log, given, sealed = heads.load(), None, None
        if options["head"]:
            given, sealed = _given(Path(options["head"]))
        awaited = dict(log.heads) if log else {}
        fault = heads.fault(log) or (_fault(given, awaited, options["head"]) if given else "")
        verdict = chain.verify(sealed, awaited | (given.heads if given else {}))
        self.exit_code = 0 if verdict.ok and not fault else 1
        self.reason = fault or verdict.reason
        self._note(verdict, log, fault)
        return {
            "rows": verdict.rows, "ok": not self.exit_code, "first_bad": verdict.first_bad, "head": verdict.head,
            "damaged": sum(each.damaged for each in (log, given) if each),
        }  # fmt: skip

    def _note(self, verdict: chain.Verdict, log: heads.HeadLog | None, fault: str) -> None:
        """For the console; a copy of the database that cannot be written is verified all the same."""
        newest = log.newest if log else None
        with suppress(DatabaseError):
            AuditVerification.objects.create(
                first_id=verdict.first, last_id=verdict.last, head_hash=verdict.head, ok=verdict.ok and not fault,
                first_bad=verdict.first_bad, reason=self.reason[:255],
                signed_id=newest["id"] if newest else None,
            )  # fmt: skip

    def describe(self, result: dict[str, Any]) -> str:
        if result["ok"]:
            words = f"The audit chain is intact: {result['rows']} rows, head {result['head']}"
            return f"{words}; {heads.damaged_words(result['damaged'])} passed over" if result["damaged"] else words
        if result["first_bad"] is None:
            return f"The signed heads are BROKEN: {self.reason}"
        return f"The audit chain is BROKEN at row #{result['first_bad']}: {self.reason}"


def _given(path: Path) -> tuple[heads.HeadLog | None, dict[str, Any] | None]:
    """A file of signed heads, or a head that was sealed by itself."""
    try:
        with path.open("rb", buffering=0) as raw, BufferedReader(raw, heads.LONGEST) as file:
            if b'"kind"' in file.peek():
                return heads.read(file, keys.trusted_keys()), None
            return None, chain.open_seal(file.read(heads.LONGEST).decode())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The head file {path} cannot be read: {error}") from error


def _fault(given: heads.HeadLog, ours: Mapping[int, str], name: str) -> str:
    """What is wrong with a file of heads that was named, by itself and beside ``ours``; empty where nothing is."""
    if given.faults or not given.lines:
        return f"{name}: {given.faults[0] if given.faults else 'no signed line is in it'}"
    differing = [row for row, text in given.heads.items() if ours.get(row, text) != text]
    return f"{name} and AUDIT_HEADS_FILE say different things of row #{differing[0]}" if differing else ""
