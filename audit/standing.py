"""How far the log is proven, for those who look at it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Max, Min

from audit import checkpoints, heads
from audit.models import AuditCheckpoint, AuditLog, AuditVerification


@dataclass(frozen=True, slots=True)
class Standing:
    """``gaps``: numbers between the first and the last entry that are not there. ``head`` is the newest signed one."""

    first: int
    last: int
    gaps: int
    verified: AuditVerification | None
    unverified: int
    head: heads.Line | None
    head_fits: bool
    unsigned: int
    faults: int
    lost: bool
    signs: bool
    checkpoint: AuditCheckpoint | None

    @property
    def alarming(self) -> bool:
        broken = self.verified is not None and not self.verified.ok
        return bool(self.gaps or self.faults or self.lost or broken or not self.head_fits)


def standing() -> Standing:
    """One count over the table, and the file of heads where we may read it. ``verify_audit`` reads every row."""
    numbers = AuditLog.objects.aggregate(first=Min("id"), last=Max("id"), rows=Count("id"))
    checkpoint, verified = checkpoints.newest(), AuditVerification.objects.first()
    begin = checkpoint.last_id + 1 if checkpoint else 1
    last = numbers["last"] or begin - 1
    log = heads.peek()
    head = log.newest if log else None
    signed = head["id"] if head else 0
    fits = (
        head is None or not signed or signed < begin or AuditLog.objects.filter(id=signed, hash=head["hash"]).exists()
    )
    return Standing(
        first=begin,
        last=last,
        gaps=max(0, last - begin + 1 - numbers["rows"]),
        verified=verified,
        unverified=max(0, last - (verified.last_id if verified else begin - 1)),
        head=head,
        head_fits=fits,
        unsigned=max(0, last - signed),
        faults=len(log.faults) if log else 0,
        lost=heads.is_lost(log),
        signs=heads.configured(),
        checkpoint=checkpoint,
    )
