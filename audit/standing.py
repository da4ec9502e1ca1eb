"""How far the log is proven, for those who look at it."""

from __future__ import annotations

from dataclasses import dataclass

from audit import checkpoints, heads
from audit.models import AuditCheckpoint, AuditLog, AuditVerification

LOOKED_AT = 10_000  # entries, for a page


@dataclass(frozen=True, slots=True)
class Standing:
    """``gaps``: numbers that are not there among the newest entries. ``head`` is the newest signed one. ``stranger`` is
    a key that signed heads and is not believed."""

    first: int
    last: int
    gaps: int
    verified: AuditVerification | None
    unverified: int
    head: heads.Line | None
    head_fits: bool
    unsigned: int
    faults: int
    stranger: str
    lost: bool
    signs: bool
    checkpoint: AuditCheckpoint | None

    @property
    def alarming(self) -> bool:
        broken = self.verified is not None and not self.verified.ok
        return bool(self.gaps or self.faults or self.stranger or self.lost or broken or not self.head_fits)


def standing() -> Standing:
    """The newest entries, and the file of heads where we may read it. ``verify_audit`` reads every row."""
    newest = list(AuditLog.objects.order_by("-id").values_list("id", flat=True)[:LOOKED_AT])
    checkpoint, verified = checkpoints.newest(), AuditVerification.objects.first()
    begin = checkpoint.last_id + 1 if checkpoint else 1
    last = newest[0] if newest else begin - 1
    log = heads.peek()
    head = log.newest if log else None
    signed = head["id"] if head else 0
    fits = (
        head is None or not signed or signed < begin or AuditLog.objects.filter(id=signed, hash=head["hash"]).exists()
    )
    return Standing(
        first=begin,
        last=last,
        gaps=max(0, last - max(begin, last - LOOKED_AT + 1) + 1 - len(newest)),
        verified=verified,
        unverified=max(0, last - (verified.last_id if verified else begin - 1)),
        head=head,
        head_fits=fits,
        unsigned=max(0, last - signed),
        faults=len(log.faults) - len(log.strangers) if log else 0,
        stranger=log.strangers[0] if log and log.strangers else "",
        lost=heads.is_lost(log),
        signs=heads.configured(),
        checkpoint=checkpoint,
    )
