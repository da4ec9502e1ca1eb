"""Rows that were refused: kept once each, then corrected and released, or dismissed with a note."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services import record as record_audit
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import BadInput
from usage.models import ImportRun, ImportStatus, QuarantinedRow, ReviewStatus
from usage.raws import split_line
from usage.reasons import detail_in_words, in_words
from usage.records import CLOCK_SLACK, BadRow, JobRecord, clean
from usage.services.frozen import frozen_windows
from usage.services.opening import zones
from usage.services.reviews import decide, required

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 500
SOURCE = "quarantine"
_DELIMITERS = ("|", "\x1f", "\t", ";", ",")


def keep(refused: list[BadRow], *, run: ImportRun) -> list[BadRow]:
    """Store what is not stored yet. Returns the rows that count as refused: those that nobody decided about before."""
    if not refused:
        return []
    rows = [_row(bad, run) for bad in refused]
    digests = sorted({row.raw_sha256 for row in rows})
    decided: set[str] = set()
    for start in range(0, len(digests), BATCH):
        known = QuarantinedRow.objects.filter(raw_sha256__in=digests[start : start + BATCH])
        decided.update(known.exclude(status=ReviewStatus.OPEN).values_list("raw_sha256", flat=True))
    QuarantinedRow.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    return [bad for bad, row in zip(refused, rows, strict=True) if row.raw_sha256 not in decided]


def digest(source: str, text: str) -> str:
    """By which the same refused text of a source is known again."""
    return hashlib.sha256(f"{source}\n{text}".encode()).hexdigest()


@transaction.atomic
def release_row(*, actor: Actor, row: QuarantinedRow, text: str, note: str = "") -> str:
    """Store the row as a job by the path of an import, from ``text`` (its own, or corrected). Returns the job's key.

    The record may turn out to be known already, or to differ from one that a document
    bills: then it is a duplicate or an adjustment, as in an import. Raises ``BadInput``
    when ``text`` is still no record, and ``AlreadyDecided``; then nothing is changed.
    """
    lock_for_transaction("usage-import")
    text = clean(text).strip("\r\n")
    record = parse(row, text)
    corrected = "" if text == row.raw.strip("\r\n") else text
    decide(
        row, ReviewStatus.ACCEPTED, actor=actor, note=note.strip(), corrected=corrected, job_key=record.job_key,
        job_id_display=record.job_id_display, username=record.username,
    )  # fmt: skip
    columns, delimiter = _columns_of(row, text)
    run = ImportRun.objects.create(
        source=SOURCE, cluster=record.cluster, columns=columns, delimiter=delimiter, timezone=row.run.timezone,
        file_name=row.run.file_name, actor=actor.name[:64],
    )  # fmt: skip
    verdict = _store(record, run, row.source)
    extra = {"reason": row.reason, "job_key": record.job_key, "verdict": verdict, "note": note.strip(), "run": run.pk}
    changes = {"raw": [row.raw, corrected]} if corrected else {}
    record_audit(
        actor=actor, action="usage_row_release", target=record.job_key, entity=row, extra=extra, changes=changes
    )
    return record.job_key


@transaction.atomic
def dismiss_row(*, actor: Actor, row: QuarantinedRow, note: str) -> QuarantinedRow:
    """No job of ours, or none to be kept. Raises ``BadInput`` without a note, and ``AlreadyDecided``."""
    note = required(note)
    decide(row, ReviewStatus.DISMISSED, actor=actor, note=note)
    record_audit(
        actor=actor, action="usage_row_dismiss", target=str(row.pk), entity=row,
        extra={"reason": row.reason, "line": row.line_no, "job": row.job_id_display, "note": note},
    )  # fmt: skip
    return row


def parse(row: QuarantinedRow, text: str) -> JobRecord:
    """Read ``text`` by the reader of the row's own source. Raises ``BadInput`` with the reason."""
    from usage.sources.restjson import read_job
    from usage.sources.text import RowReader

    cluster = row.run.cluster or settings.SLURM_CLUSTER
    if is_json(row, text):
        try:
            item = read_job(json.loads(text), cluster=cluster)
        except (ValueError, RecursionError) as error:
            raise BadInput(_("This is not JSON: %(why)s") % {"why": error}, field="text") from error
    else:
        columns, delimiter = _columns_of(row, text)
        if not columns:
            raise BadInput(_("Its import kept no column names: write the header line above the row."), field="text")
        line = text if row.run.columns else text.partition("\n")[2]
        reader = RowReader(columns, cluster=cluster, zone_of=zones(row.run.timezone))
        item = reader.read(split_line(line, delimiter), line, row.line_no)
    if isinstance(item, JobRecord):
        if item.end_at is not None and item.end_at > timezone.now().timestamp() + CLOCK_SLACK:
            raise BadInput(
                _("Not released: %(why)s") % {"why": in_words("in_future")}, field="text", reason="in_future"
            )
        return item
    if isinstance(item, BadRow):
        why = f"{in_words(item.reason)}. {detail_in_words(item.detail)}".strip()
        raise BadInput(_("Not released: %(why)s") % {"why": why}, field="text", reason=item.reason)
    raise BadInput(_("This is a step of a job. Steps are never billed: dismiss it."), field="text", reason="step")


def is_json(row: QuarantinedRow, text: str = "") -> bool:
    return not row.run.columns and (text or row.raw).lstrip().startswith(("{", "["))


def _columns_of(row: QuarantinedRow, text: str) -> tuple[list[str], str]:
    """Columns and delimiter: the run's, else those of a header that was written above the row."""
    from usage.sources.text import known_columns, missing_columns

    if row.run.columns:
        return row.run.columns, row.run.delimiter
    header, _newline, line = text.partition("\n")
    if not line.strip() or is_json(row, text):
        return [], ""
    delimiter = max(_DELIMITERS, key=lambda each: known_columns(split_line(header, each)))
    names: Sequence[str] = [name.strip() for name in split_line(header.rstrip("\r"), delimiter)]
    return ([], "") if missing_columns(names) else (list(names), delimiter)


def _store(record: JobRecord, run: ImportRun, source: str) -> str:
    """One record through the import's own staging; its run says what became of it."""
    from usage.batches import table_of
    from usage.services import adjustments, choosing, staging
    from usage.services.marks import Marks

    table: pa.Table = table_of([record])
    staging.prepare()
    frozen = frozen_windows()
    outcome = staging.write(choosing.with_hold(table), Marks(table), run_id=run.pk, source=source, frozen=frozen)
    if len(outcome.clashes):
        raise BadInput(_("Not released: %(why)s") % {"why": in_words("key_clash")}, field="text", reason="key_clash")
    changes = adjustments.note_changes(outcome, run=run)
    counts = {
        "imported": outcome.imported,
        "updated": outcome.updated,
        "duplicate": outcome.duplicate + changes.known,
        "pending": outcome.pending,
        "quarantined": changes.noted,
    }
    ImportRun.objects.filter(pk=run.pk).update(
        **counts,
        rows_read=sum(counts.values()),
        by_reason={adjustments.CHANGED: changes.noted} if changes.noted else {},
        status=ImportStatus.PARTIAL if changes.noted else ImportStatus.DONE,
        finished_at=timezone.now(),
    )
    return next((name for name, number in counts.items() if number), "")


def _row(bad: BadRow, run: ImportRun) -> QuarantinedRow:
    text = clean(bad.text)
    return QuarantinedRow(
        run=run,
        source=run.source,
        line_no=bad.line_no,
        reason=bad.reason[:40],
        detail=clean(bad.detail)[:255],
        raw=text,
        raw_sha256=digest(run.source, text),
        job_id_display=clean(bad.job_id)[:80],
        username=clean(bad.username)[:120],
    )
