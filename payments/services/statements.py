"""Import of a bank statement: all of its incoming amounts or, when one row cannot be read, nothing.

A line is known by what it says and by its place among equal lines of its day, so a repeat, or a file that
overlaps another, adds nothing, and two equal deposits stay two. Days must be whole: export full days.
"""

from __future__ import annotations

import codecs
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from audit import services as audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput, UsageError
from core.money import to_minor
from core.periods import today
from core.progress import Show
from payments.models import BankLine
from payments.statements.faults import fault_text, file_text
from payments.statements.reading import (
    LONGEST_DESCRIPTION,
    LONGEST_REFERENCE,
    Entry,
    Fault,
    Unreadable,
    encoding_of,
    layout_of,
    read_entries,
)
from payments.statements.suggestions import Candidates, Suggestion

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 200_000
FAULTS_SHOWN = 20
LONGEST_BANK = 60
SAMPLE = 20
BATCH = 500
_IN_MEMORY = 2 * 1024 * 1024


class BadStatement(BadInput):
    """Rows that cannot be read; nothing was stored. ``faults`` says, in words, what is wrong where (the first ones)."""

    code = "bad_statement"

    def __init__(self, faults: list[str], number: int) -> None:
        more = [_("… and %(n)d more") % {"n": number - len(faults)}] if number > len(faults) else []
        head = _("Nothing was imported; please correct the file:")
        super().__init__("\n".join([head, *faults, *more]), faults=faults)
        self.faults, self.number = faults, number


@dataclass(slots=True)
class Imported:
    """Counts of one file: ``rows_read`` = ``imported`` + ``duplicate`` + ``withdrawals``."""

    bank: str
    rows_read: int = 0
    imported: int = 0
    duplicate: int = 0
    withdrawals: int = 0
    suggested: int = 0  # of what is new
    sha256: str = ""
    first: date = date.max
    last: date = date.min
    sums: dict[str, int] = field(default_factory=dict)  # of what is new, in minor units by currency
    sample: list[tuple[BankLine, Suggestion | None]] = field(default_factory=list)  # the first of what is new


def _quiet(rows: int, where: str = "", done: float | None = None) -> None: ...


def import_statement(
    *, actor: Actor, bank: str, file: IO[bytes], delimiter: str = "", encoding: str = "", dry_run: bool = False,
    on_progress: Show = _quiet,
) -> Imported:  # fmt: skip
    """Store the incoming amounts of ``file``. ``dry_run`` counts the same and stores nothing.

    Raises ``UsageError`` for a delimiter or encoding that is none, ``BadInput`` for a file that is no
    statement, ``BadStatement`` naming rows.
    """
    bank = checked_bank(bank)
    _check_format(delimiter, encoding)
    with _spooled(file) as (held, digest):
        result = Imported(bank, sha256=digest)
        read = _Reading(held, delimiter, encoding)
        _check(read, result, on_progress)
        with transaction.atomic():
            lock_for_transaction("bank-statement", bank)
            book = Candidates(result.first, result.last) if result.rows_read else None
            for lines in _batches(read, result):
                new = _store(lines, result, actor, dry_run)
                _suggest(new, result, book)
                on_progress(result.rows_read, bank, (result.imported + result.duplicate) / max(result.rows_read, 1))
            if not dry_run:
                counts = {"rows_read": result.rows_read, "imported": result.imported, "duplicate": result.duplicate,
                          "withdrawals": result.withdrawals}  # fmt: skip
                audit.record(actor=actor, action="statement_import", target=bank, extra={"sha256": digest, **counts})
    return result


def checked_bank(bank: str) -> str:
    """As lines carry it. Raises ``BadInput``."""
    name = " ".join(bank.split()).upper()
    if not name or len(name) > LONGEST_BANK or not name.isprintable():
        raise BadInput(_("Between 1 and %(most)d printable characters.") % {"most": LONGEST_BANK}, field="bank")
    return name


def _check_format(delimiter: str, encoding: str) -> None:
    if delimiter and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise UsageError(_("The delimiter must be one character."), field="delimiter")
    try:
        text_codec = not encoding or codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        text_codec = False
    if not text_codec:
        raise UsageError(_("There is no encoding %(name)s.") % {"name": encoding}, field="encoding")


@contextmanager
def _spooled(file: IO[bytes]) -> Iterator[tuple[BinaryIO, str]]:
    """A copy that can be read again, in memory while it is small, and its hash. Raises ``BadInput``."""
    digest, size = hashlib.sha256(), 0
    with SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        while block := file.read(1 << 16):
            size += len(block)
            if size > MOST_BYTES:
                raise BadInput(_("The file is larger than %(n)d MB.") % {"n": MOST_BYTES >> 20}, field="file")
            digest.update(block)
            copy.write(block)
        yield cast(BinaryIO, copy), digest.hexdigest()


class _Reading:
    """One file, read as often as needed."""

    def __init__(self, file: BinaryIO, delimiter: str, encoding: str) -> None:
        self.file = file
        try:
            self.encoding = encoding_of(file, encoding)
            self.layout = layout_of(file, self.encoding, delimiter)
        except Unreadable as error:
            raise BadInput(file_text(error.code), field="file") from error

    def __iter__(self) -> Iterator[Entry | Fault]:
        latest = today() + timedelta(days=1)
        return read_entries(
            self.file, self.encoding, self.layout, currency=settings.PAYMENT_CURRENCY, latest=latest
        )  # fmt: skip


def _check(read: _Reading, result: Imported, on_progress: Show) -> None:
    """Count the rows; raise ``BadStatement`` when one cannot be read."""
    shown: list[str] = []
    faults = 0
    for item in read:
        if isinstance(item, Fault):
            faults += 1
            if len(shown) < FAULTS_SHOWN:
                shown.append(fault_text(item))
        else:
            result.rows_read += 1
            result.withdrawals += item.amount < 0
            result.first, result.last = min(result.first, item.posted_on), max(result.last, item.posted_on)
        if result.rows_read + faults > MOST_ROWS:
            raise BadInput(_("The file has more than %(n)d rows; please split it.") % {"n": MOST_ROWS}, field="file")
        if not result.rows_read % BATCH:
            on_progress(result.rows_read, result.bank)
    if faults:
        raise BadStatement(shown, faults)


def _batches(read: _Reading, result: Imported) -> Iterator[list[BankLine]]:
    seen: Counter[bytes] = Counter()
    incoming = (_line(item, result, seen) for item in read if isinstance(item, Entry) and item.amount > 0)
    while lines := list(islice(incoming, BATCH)):
        yield lines


def _line(entry: Entry, result: Imported, seen: Counter[bytes]) -> BankLine:
    minor = to_minor(entry.amount, entry.currency)
    facts: list[Any] = [
        result.bank, entry.posted_on.isoformat(), entry.currency, minor, entry.description, entry.reference
    ]  # fmt: skip
    plain = hashlib.sha256(json.dumps(facts).encode()).digest()
    seen[plain] += 1  # equal lines of one day are told apart by their order
    key = hashlib.sha256(json.dumps([*facts, seen[plain]]).encode()).hexdigest()
    return BankLine(
        bank=result.bank, line_key=key, posted_on=entry.posted_on, value_on=entry.value_on, currency=entry.currency,
        amount_cents=minor, description=entry.description[:LONGEST_DESCRIPTION],
        reference=entry.reference[:LONGEST_REFERENCE], file_sha256=result.sha256,
    )  # fmt: skip


def _store(lines: list[BankLine], result: Imported, actor: Actor, dry_run: bool) -> list[BankLine]:
    keys = [line.line_key for line in lines]
    known = set(BankLine.objects.filter(line_key__in=keys).values_list("line_key", flat=True))
    new = [line for line in lines if line.line_key not in known]
    result.imported += len(new)
    result.duplicate += len(lines) - len(new)
    for line in new:
        line.imported_by = actor.name[:64]
        result.sums[line.currency] = result.sums.get(line.currency, 0) + line.amount_cents
    if not dry_run:
        BankLine.objects.bulk_create(new)
    return new


def _suggest(lines: list[BankLine], result: Imported, book: Candidates | None) -> None:
    for line in lines:
        found = book.of(line) if book else []
        result.suggested += bool(found)
        if len(result.sample) < SAMPLE:
            result.sample.append((line, found[0] if found else None))
