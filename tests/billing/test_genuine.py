"""Paper that was issued once is told genuine for ever, whatever prefix numbers have today."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.selectors.documents.genuine import Verdict, find_document, verdict
from billing.services.receipts import create_receipts
from core.context import SYSTEM
from tests.billing.invoicing import fee, finalized, make_customer
from tests.factories import make_jobs

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("prefixes", [("RC", "FAC", "CN"), ("INV", "RC", "CN"), ("", "X", "Y")])
def test_numbers_keep_the_prefix_of_their_day(settings: Any, alice: Any, prefixes: tuple[str, ...]) -> None:
    make_jobs(2, username="alice", end_at=timezone.now() - timedelta(days=2))
    customer = make_customer()
    fee(customer)
    receipt, invoice = create_receipts(actor=SYSTEM, username="alice")[0], finalized(customer)
    settings.BILLING_RECEIPT_PREFIX, settings.BILLING_INVOICE_PREFIX, settings.BILLING_CREDIT_NOTE_PREFIX = prefixes
    for paper, number in ((receipt, receipt.document_number), (invoice, invoice.invoice_number)):
        assert verdict(number=number, digest=paper.digest) == Verdict.GENUINE
        assert find_document(number=number, digest=paper.digest) == paper
    assert verdict(number=receipt.document_number, digest=invoice.digest) == Verdict.UNKNOWN


def test_a_number_that_nobody_has_takes_the_same_statements(alice: Any) -> None:
    make_jobs(2, username="alice", end_at=timezone.now() - timedelta(days=2))
    receipt = create_receipts(actor=SYSTEM, username="alice")[0]
    asked = []
    for number in (receipt.document_number, "RC0000-999999", "nobody's"):
        with CaptureQueriesContext(connection) as queries:
            assert verdict(number=number, digest="0" * 64) == Verdict.UNKNOWN
        asked.append(len(queries))
    assert len(set(asked)) == 1
