"""Importing a statement: once, all or nothing, and only what came in."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditLog
from core.errors import BadInput, UsageError
from core.periods import today
from payments.models import BankLine
from payments.services import statements
from payments.services.statements import BadStatement, import_statement
from tests.payments.manual.conftest import FIN, YESTERDAY, imported, manual, report, row, statement
from tests.races import at_once

pytestmark = pytest.mark.django_db


def counts(done: Any) -> tuple[int, int, int, int]:
    return done.rows_read, done.imported, done.duplicate, done.withdrawals


def test_only_what_came_in_is_kept_and_the_import_is_audited() -> None:
    done = imported(row("1,234.50", "from alice", "X1"), f"{today()},fee,,,10.00")
    assert counts(done) == (2, 1, 0, 1)
    line = BankLine.objects.get()
    assert (line.bank, line.amount_cents, line.currency, line.reference, line.description, line.imported_by) == (
        "KBANK", 123450, "THB", "X1", "from alice", "fin",
    )  # fmt: skip
    entry = AuditLog.objects.get(action="statement_import")
    assert (entry.actor, entry.target) == ("fin", "KBANK")
    assert entry.extra == {
        "sha256": line.file_sha256, "rows_read": 2, "imported": 1, "duplicate": 0, "withdrawals": 1
    }  # fmt: skip


def test_a_second_import_adds_nothing_and_an_overlapping_one_only_what_is_new() -> None:
    old, both, new = row("1.00", day=YESTERDAY), row("2.00", day=YESTERDAY), row("3.00")
    assert counts(imported(old, both)) == (2, 2, 0, 0)
    assert counts(imported(old, both)) == (2, 0, 2, 0)
    assert counts(imported(both, new)) == (2, 1, 1, 0)
    assert BankLine.objects.count() == 3


def test_two_equal_deposits_of_a_day_stay_two_and_a_third_is_new() -> None:
    same = row("5.00", "QR", "R1")
    assert counts(imported(same, same)) == (2, 2, 0, 0)
    assert counts(imported(same, same, same)) == (3, 1, 2, 0)


def test_the_same_line_at_another_bank_is_another_line() -> None:
    imported(row())
    assert counts(imported(row(), bank="scb")) == (1, 1, 0, 0)
    assert counts(imported(row(), bank=" SCB ")) == (1, 0, 1, 0)


def test_one_row_that_cannot_be_read_and_nothing_is_stored() -> None:
    with pytest.raises(BadStatement) as caught:
        imported(row(), row("x"), row(day=today() + timedelta(days=9)))
    ahead = "a day that is not in the future is wanted (day first, then month)"
    assert caught.value.faults == [
        "Row 3, column Deposit: an amount such as 1,234.50 is wanted; found x.",
        f"Row 4, column Date: {ahead}; found {today() + timedelta(days=9)}.",
    ]
    assert not BankLine.objects.exists()
    assert not AuditLog.objects.filter(action="statement_import").exists()


def test_of_many_faults_the_first_twenty_are_named_and_the_rest_counted() -> None:
    with pytest.raises(BadStatement) as caught:
        imported(*[row("x")] * 25)
    assert (len(caught.value.faults), caught.value.number) == (20, 25)
    assert "5 more" in caught.value.message


def test_a_dry_run_counts_the_same_and_stores_nothing() -> None:
    assert counts(imported(row(), row(), dry_run=True)) == (2, 2, 0, 0)
    assert not BankLine.objects.exists()
    assert not AuditLog.objects.filter(action="statement_import").exists()


def test_a_thai_file_in_the_old_encoding_with_buddhist_years() -> None:
    day = f"{today():%d/%m}/{today().year + 543}"
    text = f"วันที่;รายการ;ถอน;ฝาก\n{day};รับโอนจาก สมชาย;;800.00\n"
    import_statement(actor=FIN, bank="กรุงไทย", file=io.BytesIO(text.encode("cp874")))
    line = BankLine.objects.get()
    assert (line.posted_on, line.description, line.bank) == (today(), "รับโอนจาก สมชาย", "กรุงไทย")


def test_long_texts_are_cut_and_lines_that_differ_only_at_their_end_stay_two() -> None:
    imported(row(text="x" * 600 + "a"), row(text="x" * 600 + "b"))
    assert [len(line.description) for line in BankLine.objects.all()] == [500, 500]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"name,price\nx,1\n", {}, "No header was found"),
        (b"PK\x03\x04", {}, "not a text file"),
        (statement(row()), {"bank": " "}, "printable"),
        (statement(row()), {"bank": "x" * 61}, "printable"),
    ],
)
def test_files_and_names_that_are_refused(content: bytes, options: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        import_statement(**{"actor": FIN, "bank": "K", "file": io.BytesIO(content), **options})


@pytest.mark.parametrize("options", [{"delimiter": "||"}, {"encoding": "klingon"}, {"encoding": "hex"}])
def test_a_delimiter_or_encoding_that_is_none(options: Any) -> None:
    with pytest.raises(UsageError):
        imported(row(), **options)


def test_files_beyond_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_ROWS", 2)
    with pytest.raises(BadInput, match="more than 2 rows"):
        imported(row(), row(), row())
    monkeypatch.setattr(statements, "MOST_BYTES", 20)
    with pytest.raises(BadInput, match="larger than"):
        imported(row())


def test_reading_takes_as_many_queries_for_one_line_as_for_a_batch(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(20):  # SQLite stores a batch in several statements
        imported(*[row(f"{number}.00") for number in range(1, 400)])


@pytest.mark.django_db(transaction=True)
def test_of_many_imports_at_once_every_line_is_stored_once() -> None:
    same = row("5.00")
    results = at_once(5, lambda _index: imported(same, same, row("6.00")))
    assert sum(done.imported for done in results) == 3
    assert BankLine.objects.count() == 3


def run(path: Path | str, *more: str) -> dict[str, Any]:
    out = io.StringIO()
    code = 0
    try:
        call_command("import_bank_statement", str(path), "--bank", "kbank", "--format", "json", *more, stdout=out)
    except SystemExit as stop:
        code = int(str(stop.code))
    return {"exit": code, **json.loads(out.getvalue())}


def test_the_command_tells_what_it_did(tmp_path: Path, receipt: Any) -> None:
    report(manual(receipt))
    path = tmp_path / "may.csv"
    path.write_bytes(statement(row("8.00", reference="REF0001"), row("3.50"), f"{today()},fee,,,1.00"))
    expected = {"exit": 0, "bank": "KBANK", "rows_read": 3, "imported": 2, "duplicate": 0, "withdrawals": 1,
                "suggested": 1, "faults": []}  # fmt: skip
    assert run(path, "--dry-run") == expected
    assert run(path) == expected
    assert run(path) == {**expected, "imported": 0, "duplicate": 2, "suggested": 0}


def test_the_command_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(statement(row()))))
    assert run("-")["imported"] == 1


def test_the_command_names_faults_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(statement(row("x")))
    told = run(path)
    assert (told["exit"], told["imported"], len(told["faults"])) == (1, 0, 1)
    with pytest.raises(CommandError, match="Row 2, column Deposit") as caught:
        call_command("import_bank_statement", str(path), "--bank", "K")
    assert caught.value.returncode == 1


def test_a_missing_file_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("import_bank_statement", str(tmp_path / "none.csv"), "--bank", "K")
    assert caught.value.returncode == 2
