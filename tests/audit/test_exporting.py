"""An export leaves a trace before its first row and at its end, whatever becomes of the reader."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from audit.chain import verify
from audit.exporting import recorded, recorded_rows
from audit.exports import AUDIT_LOG
from audit.models import AuditLog
from audit.services import record
from core import context
from core.context import Actor
from core.errors import BadInput
from core.exports import ExportFilter, table_lines

pytestmark = pytest.mark.django_db
FACTS = context.RequestContext("request-1", "10.0.0.9", "a browser")


def entries() -> list[tuple[str, str, Any, str]]:
    rows = AuditLog.objects.filter(action="export").order_by("id")
    return [(row.target, row.status, row.extra.get("rows"), row.request_id) for row in rows]


def test_the_start_is_written_before_anything_is_read_and_the_end_with_the_number_of_rows() -> None:
    with context.bound(FACTS):
        rows = recorded(actor=Actor("fin"), target="t", asked={"format": "csv"}, rows=iter([(1,), (2,)]))
    assert entries() == [("t", "started", None, "request-1")]
    assert list(rows) == [(1,), (2,)]  # after the request is over, as a stream is
    assert entries()[1:] == [("t", "done", 2, "request-1")]


def test_a_reader_that_leaves_is_written_down_with_what_was_read() -> None:
    rows = recorded(actor=Actor("fin"), target="t", asked={}, rows=((n,) for n in range(100)))
    for _ in range(3):
        next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert [(status, count) for _target, status, count, _id in entries()] == [("started", None), ("broken_off", 3)]


def test_an_error_half_way_is_no_end() -> None:
    def broken() -> Any:
        yield (1,)
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        list(recorded(actor=Actor("fin"), target="t", asked={}, rows=broken()))
    assert entries()[-1][1:3] == ("broken_off", 1)


def test_the_entry_says_who_took_what_of_which_days() -> None:
    import datetime as dt

    record(actor=Actor("alice"), action="export", target="x")
    flt = ExportFilter(dt.date(2026, 10, 1), dt.date(2026, 10, 31), user="alice")
    list(recorded_rows(actor=Actor("aud"), export=AUDIT_LOG, flt=flt, file_format="xlsx"))
    done = AuditLog.objects.get(action="export", status="done")
    assert (done.actor, done.target) == ("aud", "audit_log")
    assert done.extra == {"format": "xlsx", "start": "2026-10-01", "end": "2026-10-31", "user": "alice", "rows": 0}


def test_a_refused_filter_leaves_no_trace() -> None:
    with pytest.raises(BadInput):
        recorded_rows(actor=Actor("aud"), export=AUDIT_LOG, flt=ExportFilter(tier="mu"), file_format="csv")
    assert entries() == []


def test_the_log_leaves_as_it_was_hashed() -> None:
    from audit.hashing import chain_hash, plain
    from audit.services import record

    with context.bound(FACTS):
        record(actor=Actor("fin"), action="export", target="x", extra={"ก": [1, "b"], "a": None})
    text = "".join(table_lines(AUDIT_LOG.columns, AUDIT_LOG.rows(ExportFilter()))).removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    import json

    for row in rows:
        facts: dict[str, Any] = {**row, "id": int(row["id"]), **{k: json.loads(row[k]) for k in ("extra", "changes")}}
        assert chain_hash(row["prev_hash"], {name: plain(value) for name, value in facts.items()}) == row["hash"]
    assert verify().ok
