"""Taking a file of events in, a thousand at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import Project
from audit.services import record
from core.context import Actor
from core.errors import BadInput
from usage.events.checking import Sender
from usage.events.files import read_events
from usage.events.rows import ACCEPTED, CONFLICT, DUPLICATE, REJECTED
from usage.events.schema import Refused
from usage.opening import opened
from usage.services.events import take_events

CHUNK = 1000
NOTED = 20


@dataclass(slots=True)
class Imported:
    """accepted + duplicate + conflict + rejected = rows_read."""

    rows_read: int = 0
    accepted: int = 0
    duplicate: int = 0
    conflict: int = 0
    rejected: int = 0
    late: int = 0
    by_reason: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def import_events(
    *, actor: Actor, file: str, kind: str = "auto", project: Project | None = None, dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Imported:  # fmt: skip
    """Each thousand lines stand by themselves: what was taken before a fault stays, and the same file again finds it
    as duplicates. Events may be as old as they like. Raises ``BadInput``, ``UsageError``.
    """
    result, reasons = Imported(), Counter[str]()
    sender = Sender(project=project, trusted=True, may_write=lambda _project: True)
    with opened(file) as stream:
        lines = read_events(stream, name=file, kind=kind)
        while some := list(islice(lines, CHUNK)):
            taken = take_events(sender=sender, items=[item for _line, item in some], any_age=True, dry_run=dry_run)
            for status, number in taken.counts.items():
                setattr(result, status, getattr(result, status) + number)
            result.rows_read += len(some)
            result.late += taken.late
            for (line, _item), verdict in zip(some, taken.verdicts, strict=True):
                if verdict.refused is not None:
                    reasons[verdict.refused.code] += 1
                    _note(result, line, verdict.refused)
            on_progress(result.rows_read)
    if not result.rows_read:
        raise BadInput(_("%(file)s holds no events.") % {"file": file})
    result.by_reason = dict(reasons.most_common())
    if not dry_run:
        counts = {name: getattr(result, name) for name in (ACCEPTED, DUPLICATE, CONFLICT, REJECTED)}
        record(actor=actor, action="events_import", target=file[-200:], extra=counts)
    return result


def _note(result: Imported, line: int, why: Refused) -> None:
    if len(result.notes) < NOTED:
        at = f" ({why.field})" if why.field else ""
        result.notes.append(_("line %(line)s%(at)s: %(why)s") % {"line": line, "at": at, "why": why.reason})
