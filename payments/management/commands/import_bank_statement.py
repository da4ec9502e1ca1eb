"""Import what came in according to a bank statement, for finance to match."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.utils.translation import gettext as _

from core.commands import AppCommand
from core.context import SYSTEM
from core.errors import UsageError
from core.progress import shown
from payments.services.statements import BadStatement, import_statement


class Command(AppCommand):
    help = (
        "Import the incoming amounts of a bank statement (CSV). A repeat adds nothing; one row that cannot be read"
        " and nothing is stored. Nothing is matched: finance decides in the console."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the statement as CSV; - is stdin")
        parser.add_argument("--bank", required=True, metavar="NAME", help="which account's statement this is")
        parser.add_argument("--delimiter", default="", metavar="S", help="of the file, when it is not detected")
        parser.add_argument("--encoding", default="", metavar="E", help="of the file (default: UTF-8, else cp874)")
        parser.add_argument("--dry-run", action="store_true", help="the same counters, nothing is stored")

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        try:
            with _opened(options["file"]) as file, shown(_("rows")) as show:
                done = import_statement(
                    actor=SYSTEM, bank=options["bank"], file=file, delimiter=options["delimiter"],
                    encoding=options["encoding"], dry_run=options["dry_run"], on_progress=show,
                )  # fmt: skip
        except BadStatement as error:
            if options["format"] == "text":
                raise
            self.exit_code = error.exit_code
            return _result(options["bank"], faults=error.faults)
        return _result(
            done.bank, rows_read=done.rows_read, imported=done.imported, duplicate=done.duplicate,
            withdrawals=done.withdrawals, suggested=done.suggested,
        )  # fmt: skip


def _result(bank: str, **found: Any) -> dict[str, Any]:
    empty = {"rows_read": 0, "imported": 0, "duplicate": 0, "withdrawals": 0, "suggested": 0, "faults": []}
    return {"bank": bank, **empty, **found}


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
    with file:
        yield file
