"""F4: the database connection dies before any one statement of billing, importing and finalising: no half state is left,
and a repeat ends well. Payments, refunds and checkouts: tests/payments/test_cuts.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from billing.models import Invoice, Receipt
from billing.services.invoices.issue import finalize_invoice
from billing.services.receipts import create_receipts
from core.context import Actor
from core.errors import AppError
from hpcbilling import books
from tests.billing.invoicing import FIN, draft, fee, make_customer
from tests.factories import account_tier, make_jobs
from tests.faults.seeds import dice, times
from tests.invariants import broken
from tests.payments.test_cuts import MOST, cut_at
from tests.usage.helpers import row, run_import, write
from usage.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
EVERY = times("CUT_EVERY", 5)  # of so many statements one is cut at
ROUNDS = times("CUT_ROUNDS", 1)
_jobs = itertools.count(50_000)
OCTOBER = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}


def places(what: str) -> Iterator[int]:
    """Numbers of statements, until the test is through with them; each round begins somewhere else."""
    chance = dice(f"cuts of {what}")
    for _round in range(ROUNDS):
        yield from range(chance.randrange(EVERY) + 1, MOST + EVERY, EVERY)


def test_receipts_are_whole_or_none(alice: Any) -> None:
    account_tier("physics", "mu")
    through = 0
    for number in places("receipts"):
        made = make_jobs(3)
        with cut_at(number) as cut:
            try:
                create_receipts(actor=Actor("alice"), username="alice", **OCTOBER)
            except DatabaseError:
                assert cut.happened
        assert Job.objects.unbilled().count() in (0, len(made)), f"cut before statement {number}"
        assert broken() == {}, f"cut before statement {number}"
        create_receipts(actor=Actor("alice"), username="alice", **OCTOBER)
        assert Job.objects.unbilled().count() == 0
        assert broken() == {}
        through += not cut.happened
    assert through, "no creation came to its end: there are statements that were never cut at"
    serials = list(Receipt.objects.order_by("serial").values_list("serial", flat=True))
    assert serials == list(range(serials[0], serials[0] + len(serials))), "numbers have no gap"


def test_imports_keep_whole_batches(tmp_path: Path) -> None:
    through = 0
    for number in places("imports"):
        mine = [next(_jobs) for _each in range(3)]
        file = write(tmp_path / "usage.psv", *(row(each) for each in mine))
        with cut_at(number) as cut:
            try:
                run_import(file)
            except (DatabaseError, AppError):
                assert cut.happened
        there = Job.objects.filter(job_id_display__in=map(str, mine))
        assert there.count() in (0, 3), f"cut before statement {number}"
        run_import(file)
        assert there.count() == 3, f"cut before statement {number}"
        through += not cut.happened
    assert through


def test_invoices_are_final_with_a_number_or_drafts_without(make_user: Any) -> None:
    through = 0
    for number in places("invoices"):
        project = make_customer(f"Institute {next(_jobs)}", account="")
        fee(project)
        invoice = draft(project)
        with cut_at(number) as cut:
            try:
                finalize_invoice(actor=FIN, invoice=invoice)
            except DatabaseError:
                assert cut.happened
        found = Invoice.objects.get(pk=invoice.pk)
        assert (found.status == "draft") == (found.serial is None), f"cut before statement {number}"
        finalize_invoice(actor=FIN, invoice=found)
        assert Invoice.objects.get(pk=invoice.pk).status in ("finalized", "paid")
        through += not cut.happened
    assert through
    for name in ("invoice_totals", "invoice_dues", "invoice_numbers", "invoice_digests"):
        assert books.INVARIANTS[name]() == []
