"""Exports leave a trace: an entry before the first row is read, another with their number when it has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audit import services
from core import context
from core.context import Actor
from core.exports import OPTIONS, Export, ExportFilter, Row, close


def recorded_rows(*, actor: Actor, export: Export, flt: ExportFilter, file_format: str) -> Iterator[Row]:
    """The rows of the export, with both entries. Raises ``BadInput`` for a filter that it cannot heed."""
    export.check(flt)
    asked = {"format": file_format, "start": flt.start, "end": flt.end, **flt.given(OPTIONS)}
    return recorded(actor=actor, target=export.name, asked=asked, rows=export.rows(flt))


def recorded(*, actor: Actor, target: str, asked: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[Row]:
    """Record ``started`` now, and ``done`` or ``broken_off`` with the number of rows when they have been read.

    A stream is sent after its request has been answered, so the facts of the request are kept for
    the second entry. Where that is missing nothing was sent, or the process died.
    """
    services.record(actor=actor, action="export", target=target, status="started", extra=asked)
    return _counted(actor, target, asked, rows, context.current())


def _counted(
    actor: Actor, target: str, asked: Mapping[str, Any], rows: Iterable[Row], facts: context.RequestContext
) -> Iterator[Row]:
    count, status = 0, "broken_off"
    try:
        for row in rows:
            count += 1
            yield row
        status = "done"
    finally:
        close(rows)
        with context.bound(facts):
            services.record(actor=actor, action="export", target=target, status=status, extra={**asked, "rows": count})
