"""Append a signed head of the audit chain to AUDIT_HEADS_FILE."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from audit import heads
from audit.models import AuditLog
from core.commands import AppCommand


class Command(AppCommand):
    help = (
        "Verify what was written since the last signed head, then append a new one to AUDIT_HEADS_FILE."
        " Exit 1 when the chain does not hold the last one any more."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--begin-anew", action="store_true", help="the former file of heads is put away on purpose: begin another"
        )
        parser.add_argument("--dry-run", action="store_true", help="show how many rows are not signed, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["dry_run"]:
            log = heads.load()
            newest = log.newest if log else None
            return {"unsigned": AuditLog.objects.filter(id__gt=newest["id"] if newest else 0).count()}
        written = heads.sign(begin_anew=options["begin_anew"])
        return {"heads": len(written), "id": written[-1]["id"], "hash": written[-1]["hash"]}
