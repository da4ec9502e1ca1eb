"""Retention of the log: old rows go to a file, under a signed checkpoint from which the chain goes on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import heads, keys, services
from audit.hashing import stamp
from audit.models import AuditCheckpoint, AuditLog
from core.context import Actor
from core.database.locks import lock_for_transaction
from core.errors import Conflict, Misconfigured
from core.files import whole_file

PURPOSE = "checkpoint"
_SIGNED = ("first_id", "last_id", "last_hash", "archive", "sha256")


@dataclass(frozen=True, slots=True)
class Span:
    """Rows that may go."""

    first: int
    last: int
    last_hash: str
    last_ts: datetime

    @property
    def rows(self) -> int:
        return self.last - self.first + 1


def newest() -> AuditCheckpoint | None:
    return AuditCheckpoint.objects.order_by("-last_id").first()


def fault(checkpoint: AuditCheckpoint) -> str:
    """Why the checkpoint is not to be believed; empty when it is."""
    signed = _body(checkpoint) | {"algorithm": keys.ALGORITHM, "key": checkpoint.key, "signature": checkpoint.signature}
    if keys.is_signed(PURPOSE, signed, keys.trusted_keys()):
        return ""
    return "the checkpoint that ends here was not signed by a key that AUDIT_PUBLIC_KEYS or AUDIT_SIGNING_KEY names"


def old_rows(before: datetime) -> Span | None:
    """Rows written before that moment, whole; None when there is none. The newest row always stays."""
    oldest = AuditLog.objects.order_by("id").values_list("id", flat=True).first()
    newest_id = AuditLog.objects.order_by("-id").values_list("id", flat=True).first()
    young = AuditLog.objects.filter(ts__gte=before).order_by("id").values_list("id", flat=True).first()
    if oldest is None or newest_id is None:
        return None
    last = min(newest_id, young or newest_id) - 1
    row = AuditLog.objects.filter(id=last).values("hash", "ts").first() if last >= oldest else None
    return Span(oldest, last, row["hash"], row["ts"]) if row else None


def archive(*, actor: Actor, before: datetime) -> int:
    """Move rows older than that to a file of ``AUDIT_ARCHIVE_FOLDER``; returns their number.

    The chain and its heads are verified first, the file is read back before a row goes. Raises ``Misconfigured`` where
    something is not set, ``Conflict`` when the chain is broken.
    """
    from audit import chain

    folder, key = settings.AUDIT_ARCHIVE_FOLDER, keys.signing_key()
    if not folder or key is None or not settings.AUDIT_HEADS_FILE:
        raise Misconfigured("Set AUDIT_ARCHIVE_FOLDER, AUDIT_SIGNING_KEY_FILE and AUDIT_HEADS_FILE first.")
    heads.sign()
    log = heads.load()
    verdict = chain.verify(heads=log.heads if log else {})
    if not verdict.ok:
        raise Conflict(f"Nothing is archived: the chain is broken at row #{verdict.first_bad}: {verdict.reason}.")
    span = old_rows(before)
    if span is None:
        return 0
    file = Path(folder) / f"audit-{span.first:012d}-{span.last:012d}.ndjson"
    sha256 = _write(file, span)
    _take_out(actor, key, span, file.name, sha256)
    return span.rows


@transaction.atomic
def _take_out(actor: Actor, key: keys.SigningKey, span: Span, name: str, sha256: str) -> None:
    """The checkpoint, its line beside the heads, its entry in the log, and then the rows: all or none of it."""
    lock_for_transaction("audit")
    checkpoint = AuditCheckpoint(
        at=timezone.now(), first_id=span.first, last_id=span.last, last_hash=span.last_hash, last_ts=span.last_ts,
        archive=name, sha256=sha256,
    )  # fmt: skip
    signed = key.signed(PURPOSE, _body(checkpoint))
    checkpoint.key, checkpoint.signature = signed["key"], signed["signature"]
    checkpoint.save(force_insert=True)
    AuditLog.objects.filter(id__gte=span.first, id__lte=span.last).delete()
    extra = {"first": span.first, "last": span.last, "hash": span.last_hash, "archive": name, "sha256": sha256}
    services.record(actor=actor, action="audit_archive", target=name, entity=checkpoint, extra=extra)
    heads.note_checkpoint(span.first, span.last, span.last_hash, name, sha256)


def _body(checkpoint: AuditCheckpoint) -> dict[str, Any]:
    return {
        **{name: getattr(checkpoint, name) for name in _SIGNED},
        "at": stamp(checkpoint.at),
        "last_ts": stamp(checkpoint.last_ts),
    }


def _write(file: Path, span: Span) -> str:
    """SHA-256 of the archive, which was read back from the disk. Raises ``Misconfigured`` when it cannot be kept."""
    from audit.ndjson import lines

    digest, count = hashlib.sha256(), 0
    try:
        with whole_file(file) as written:
            for text in lines(AuditLog.objects.filter(id__gte=span.first, id__lte=span.last)):
                written.write(text.encode())
                digest.update(text.encode())
                count += 1
        with file.open("rb") as handle:
            stored = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise Misconfigured(f"The archive cannot be written: {error}") from error
    if count != span.rows or stored != digest.hexdigest():
        raise Conflict("Nothing is taken out: the archive is not what was written.")
    return stored
