from __future__ import annotations

from typing import Any

import pytest

from core.context import Actor
from payments.models import Payment, Refund
from payments.services.refunds import reserve_refund
from tests.pages.conftest import text
from tests.payments.conftest import call

FIN = Actor("fin")
PAYMENTS, REFUNDS, EVENTS = (f"/admin/payments/{name}/" for name in ("payment", "refund", "paymentevent"))
DAYS = "/admin/payments/reconciliationday/"


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_auditor(client: Any, auditor: Any) -> Any:
    client.force_login(auditor, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def paid(payment: Payment) -> Payment:
    """8.00 THB have come in."""
    call(payment)
    payment.refresh_from_db()
    return payment


@pytest.fixture
def failed(payment: Payment) -> Payment:
    call(payment, "payment.failed")
    payment.refresh_from_db()
    return payment


@pytest.fixture
def by_hand(paid: Payment) -> Refund:
    """A refund of 3.00 that finance sends itself."""
    refund = reserve_refund(actor=FIN, payment=paid, amount_minor=300, reason="too much")
    Refund.objects.filter(pk=refund.pk).update(by_hand=True)
    refund.refresh_from_db()
    return refund


def act(client: Any, where: str, row: Any, action: str, **extra: str) -> str:
    return text(client.post(where, {"action": action, "_selected_action": [row.pk], **extra}, follow=True))


def refunds() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("pk").values_list("amount_cents", "status"))


def shown(client: Any, where: str, **filters: str) -> set[int]:
    response = client.get(where, filters)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}
