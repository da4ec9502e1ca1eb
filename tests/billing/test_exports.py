"""Receipts, their lines and usage as tables: the right rows, by the days of the site."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import UTC, date, datetime
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Model

from billing.exports import ITEMS, PAID, PENDING, RECEIPTS, USAGE, VOID
from billing.models import Receipt, ReceiptItem
from billing.services.receipts import create_receipts, mark_paid, void_receipt
from core.context import Actor
from core.errors import BadInput
from core.exports import CHUNK, Export, ExportFilter, table_lines
from tests.factories import NOON, account_tier, make_job, make_jobs
from usage.models import Job

pytestmark = pytest.mark.django_db
LAST_SECOND = datetime(2026, 10, 31, 16, 59, 59, tzinfo=UTC)  # of October in Bangkok
FIRST_SECOND = datetime(2026, 10, 31, 17, 0, 0, tzinfo=UTC)  # of November
OCTOBER = ExportFilter(date(2026, 10, 1), date(2026, 10, 31))
NOVEMBER = ExportFilter(date(2026, 11, 1), date(2026, 11, 30))


def take(export: Export, flt: ExportFilter | None = None, **more: Any) -> list[dict[str, str]]:
    flt = flt or ExportFilter(**more)
    export.check(flt)
    text = "".join(table_lines(export.columns, export.rows(flt))).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def bill(username: str = "alice") -> Receipt:
    make_job(username=username)
    return create_receipts(actor=Actor(username), username=username)[0]


@pytest.fixture(autouse=True)
def _physics_is_mu(alice: Any, bob: Any) -> None:
    account_tier("physics", "mu")


@pytest.fixture
def three() -> tuple[Receipt, Receipt, Receipt]:
    """One pending, one paid, one void, all of Alice's."""
    pending, paid, void = bill(), bill(), bill()
    mark_paid(actor=Actor("fin"), receipt=paid, method="transfer", tx_ref="=SLIP(1)")
    void_receipt(actor=Actor("fin"), receipt=void, reason="-2+3")
    return pending, paid, void


def numbers(rows: list[dict[str, str]]) -> set[str]:
    return {row["number"] for row in rows}


def test_each_status_has_its_export_and_the_whole_has_all(three: Any) -> None:
    pending, paid, void = (str(receipt) for receipt in three)
    assert numbers(take(RECEIPTS)) == {pending, paid, void}
    assert numbers(take(PENDING)) == numbers(take(RECEIPTS, status="pending")) == {pending}
    assert numbers(take(PAID)) == numbers(take(RECEIPTS, status="paid")) == {paid}
    assert numbers(take(VOID)) == numbers(take(RECEIPTS, status="void")) == {void}


def test_a_row_says_the_money_with_its_currency_and_cannot_run(three: Any) -> None:
    (row,) = take(PAID)
    assert (row["total"], row["subtotal"], row["currency"], row["jobs"]) == ("8.00", "8.00", "THB", "1")
    assert row["tx_ref"] == "'=SLIP(1)"
    assert take(VOID)[0]["void_reason"] == "'-2+3"


@pytest.mark.parametrize(
    ("export", "field", "late"),
    [(PAID, "paid_at", FIRST_SECOND), (VOID, "voided_at", FIRST_SECOND), (RECEIPTS, "issued_on", date(2026, 11, 1)), (PENDING, "issued_on", date(2026, 11, 1))],
)  # fmt: skip
def test_a_month_ends_at_midnight_in_bangkok(three: Any, export: Export, field: str, late: Any) -> None:
    early = date(2026, 10, 31) if field == "issued_on" else LAST_SECOND
    Receipt.objects.update(**{field: early})
    assert take(export, OCTOBER)
    assert not take(export, NOVEMBER)
    Receipt.objects.update(**{field: late})
    assert not take(export, OCTOBER)
    assert take(export, NOVEMBER)


def test_lines_come_with_what_is_known_of_their_jobs(three: Any) -> None:
    make_job(job_name="@SUM(A1)", account="physics", cluster="other", job_id=900)
    receipt = create_receipts(actor=Actor("alice"), username="alice")[-1]
    (row,) = [row for row in take(ITEMS) if row["job_id"] == "900"]
    assert (row["number"], row["cluster"], row["account"], row["name"]) == (
        str(receipt),
        "other",
        "physics",
        "'@SUM(A1)",
    )
    assert (row["core_hours"], row["gpu_hours"], row["gb_hours"], row["cost"], row["currency"]) == (
        "4.0000", "0.0000", "8.0000", "8.00", "THB",
    )  # fmt: skip
    assert [found["job_id"] for found in take(ITEMS, cluster="other")] == ["900"]
    make_job(username="bob", account="unbilled")
    assert take(ITEMS, account="unbilled") == []


def test_lines_of_any_receipts_add_up_to_their_totals(three: Any) -> None:
    make_jobs(40, elapsed_seconds=777)
    bill()
    sums: dict[str, Decimal] = {}
    for row in take(ITEMS):
        sums[row["number"]] = sums.get(row["number"], Decimal(0)) + Decimal(row["cost"])
    assert sums == {row["number"]: Decimal(row["total"]) for row in take(RECEIPTS)}


def test_usage_has_billed_and_other_jobs_with_what_they_cost(three: Any) -> None:
    make_job(job_id=901, username="bob", job_name="งาน", end_at=NOON)
    make_job(job_id=902, state="NODE_FAIL")
    rows = {row["job_id"]: row for row in take(USAGE)}
    assert (rows["901"]["user"], rows["901"]["name"], rows["901"]["cost"], rows["901"]["status"]) == (
        "bob",
        "งาน",
        "8.00",
        "unbilled",
    )
    assert (rows["902"]["cost"], rows["902"]["status"]) == ("0.00", "free")
    assert sum(row["status"] == "billed" for row in rows.values()) == 2  # the job of the void one is free again
    assert {row["currency"] for row in rows.values()} == {"THB"}
    assert {row["user"] for row in take(USAGE, user="bob")} == {"bob"}
    assert all(row["receipt"] for row in take(USAGE, status="billed"))
    assert not any(row["receipt"] for row in take(USAGE, status="unbilled"))


def test_usage_keeps_the_currency_of_a_receipt_that_is_older_than_the_sites(three: Any, settings: Any) -> None:
    settings.PAYMENT_CURRENCY = "USD"
    make_job(job_id=903)
    assert {row["status"]: row["currency"] for row in take(USAGE)} == {"billed": "THB", "unbilled": "USD"}


@pytest.mark.parametrize(("moment", "month"), [(LAST_SECOND, OCTOBER), (FIRST_SECOND, NOVEMBER)])
def test_a_job_is_of_the_month_in_which_it_ended(moment: datetime, month: ExportFilter) -> None:
    make_job(end_at=moment)
    other = NOVEMBER if month is OCTOBER else OCTOBER
    assert (len(take(USAGE, month)), len(take(USAGE, other))) == (1, 0)


def test_a_cluster_is_a_filter_of_usage() -> None:
    make_job(cluster="one", job_id=1)
    make_job(cluster="two", job_id=2)
    assert [row["cluster"] for row in take(USAGE, cluster="two")] == ["two"]


@pytest.mark.parametrize(
    "asked", [{"cluster": "x"}, {"account": "x"}, {"status": "nonsense"}, {"unbilled": True}, {"start": date(2026, 2, 2), "end": date(2026, 2, 1)}]
)  # fmt: skip
def test_a_filter_that_an_export_cannot_heed_is_refused_never_passed_over(asked: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        RECEIPTS.check(ExportFilter(**asked))


@pytest.mark.parametrize("name", ["user", "tier", "account", "cluster"])
def test_a_name_that_nobody_has_is_refused_and_one_of_former_jobs_is_not(name: str) -> None:
    make_job(username="gone", account="left", cluster="former")
    with pytest.raises(BadInput, match=f"There is no {name} nobody"):
        ITEMS.check(ExportFilter(**{name: "nobody"}))  # type: ignore[arg-type]
    for export, asked in (
        (RECEIPTS, {"user": "gone", "tier": "mu"}),
        (USAGE, {"account": "left", "cluster": "former"}),
    ):
        export.check(ExportFilter(**asked))  # type: ignore[arg-type]


@pytest.mark.parametrize("out", ["", " "])
def test_a_file_without_a_name_is_refused_before_anything_is_asked(out: str) -> None:
    with pytest.raises(CommandError, match="--out: the name of a file is needed"):
        call_command("export", "receipts", f"--out={out}")


@pytest.mark.parametrize("export", [RECEIPTS, ITEMS, USAGE])
def test_queries_do_not_grow_with_rows(export: Export, django_assert_max_num_queries: Any) -> None:
    bill()
    with django_assert_max_num_queries(12) as few:
        take(export)
    for _ in range(10):
        make_jobs(5)
        bill()
    with django_assert_max_num_queries(len(few)):
        take(export)


def copy(model: type[Model], number: int, **changed: str) -> None:
    """Copies of the one row there is, with other SQL for some columns: what factories would take a minute for."""
    names = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(changed.get(name, f't."{name}"') for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
            f" INSERT INTO {model._meta.db_table} ({quoted}) SELECT {values} FROM {model._meta.db_table} t, n"
        )


def test_fifty_thousand_lines_are_read_and_sent_in_bounded_memory() -> None:
    """The table is 10 MB of text; what is held at a time is a chunk of rows and their jobs."""
    receipt = bill()
    copy(Job, 50_000, job_key="'copy:' || n.i", job_name="'" + "x" * 60 + "'")
    copy(ReceiptItem, 50_000, job_key="'copy:' || n.i")
    assert receipt.items.count() == 50_001
    lines = table_lines(ITEMS.columns, ITEMS.rows(ExportFilter()))
    assert next(lines).startswith("\ufeffreceipt,number")
    asked: list[bool] = []

    def count(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append(many)
        return execute(sql, parameters, many, context)

    tracemalloc.start()
    with connection.execute_wrapper(count):
        size = sum(len(text) for text in lines)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 9_000_000
    assert peak < 8_000_000
    assert len(asked) == 1 + ceil(50_001 / CHUNK)  # the lines once, their jobs once a chunk
