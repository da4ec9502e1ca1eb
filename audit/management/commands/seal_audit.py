"""Write the signed head of the audit chain to a file outside the database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from audit import chain, heads, services
from core.commands import AppCommand, file_name
from core.context import SYSTEM
from core.errors import AppError, UsageError
from core.files import ORDINARY, whole_file


class Command(AppCommand):
    help = "Seal the audit chain: a signed head that verify_audit --head checks later."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--out", type=file_name, required=True, metavar="FILE", help="where the sealed head is written"
        )
        parser.add_argument("--dry-run", action="store_true", help="show the head, write nothing")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        out = Path(options["out"])
        verdict = chain.verify(_earlier(out))
        if not verdict.ok:
            self.exit_code = 1
            self.stderr.write(f"Not sealed: the chain is broken at row #{verdict.first_bad}: {verdict.reason}")
            return {}
        sealed = chain.seal()
        if not options["dry_run"]:
            try:
                with whole_file(out, mode=ORDINARY) as file:
                    file.write((json.dumps(sealed, indent=1) + "\n").encode())
            except OSError as error:
                raise AppError(f"The head cannot be written: {error}") from error
            services.record(
                actor=SYSTEM, action="audit_seal", target=f"#{sealed['id']}", extra={"hash": sealed["hash"]}
            )
        return sealed


def _earlier(out: Path) -> dict[str, Any] | None:
    """The head that ``out`` holds already: it is proof, and is replaced only while the chain still contains it."""
    try:
        with out.open("rb") as file:  # a head is short; what has no end is not read to it
            return chain.open_seal(file.read(heads.LONGEST).decode())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The head file cannot be read: {error}") from error
