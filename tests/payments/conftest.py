from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client

from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from payments.models import Payment
from payments.providers.dummy.provider import signed_event
from payments.services.checkout import start_payment
from tests.factories import account_tier, make_job
from tests.fakes.providers import Providers
from tests.invariants import invariants_hold  # noqa: F401 - after every test

_ids = itertools.count(1)


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    """Alice's pending receipt of 8.00 THB."""
    account_tier("physics", "mu")
    make_job()
    window = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
    return create_receipts(actor=Actor("alice"), username="alice", **window)[0]


@pytest.fixture
def fakes(settings: Any) -> Iterator[Providers]:
    """Local Stripe, Omise and Razorpay, and the site pointed at them."""
    from tests.payments.rigs import configure, running

    with running() as started:
        configure(settings, started)
        yield started


@pytest.fixture
def payment(receipt: Receipt) -> Payment:
    return start_payment(actor=Actor("alice"), receipt=receipt)


def call(
    payment: Payment, kind: str = "payment.succeeded", *, event_id: str = "", timestamp: int | None = None, **data: Any
) -> Any:
    """Send one signed webhook through the real view; ``data`` alters what it claims."""
    body, headers = signed_event(
        payment, kind, event_id=event_id or f"evt_{next(_ids)}", timestamp=timestamp or int(time.time()), **data
    )
    return send(body, headers)


def send(body: bytes, headers: dict[str, str], path: str = "/payments/webhooks/dummy/") -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/json", headers=headers)
