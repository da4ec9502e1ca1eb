"""Ways in which a receipt was once paid twice, or money that was never ours was counted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from billing.models import Receipt
from billing.services.receipts import mark_paid, void_receipt
from core.context import Actor
from payments.models import Payment, Refund
from payments.providers.errors import ProviderError
from payments.services.checkout import NotPayable
from payments.services.reconciliation import sync_open
from payments.services.refunds import refund_payment
from tests.fakes.providers import Providers
from tests.fakes.providers.razorpay import shapes
from tests.payments.conformance.test_outside import let_the_lease_pass
from tests.payments.conformance.test_paying import assert_books, states
from tests.payments.rigs import FINANCE, RIGS, new_receipt

pytestmark = pytest.mark.django_db


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


def test_no_other_way_is_opened_while_money_is_on_its_way(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["stripe.promptpay"](fakes)
    payment = rig.start(receipt)
    fakes.stripe.pay_later(payment.external_payment_id)
    rig.deliver()
    with pytest.raises(NotPayable, match="on its way"):
        RIGS["omise.promptpay"](fakes).start(receipt)
    fakes.stripe.settle_later(payment.external_payment_id)
    rig.deliver()
    assert states(payment) == ("succeeded", "paid")
    assert Payment.objects.count() == 1


def test_authorised_money_that_razorpay_sent_back_by_itself_was_never_ours(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["razorpay.checkout"](fakes)
    payment = rig.start(receipt)
    rig.decline(payment)
    rig.deliver()
    other = RIGS["stripe.card"](fakes).start(receipt)
    fakes.razorpay.authorize_late(payment.external_payment_id)
    rig.deliver()
    RIGS["stripe.card"](fakes).expire(other)  # type: ignore[attr-defined]
    (late,) = [each for each in fakes.razorpay.payments.values() if each["status"] == "authorized"]
    late.update(status="refunded", amount_refunded=late["amount"], refund_status="full")
    back = shapes.refund(late, late["amount"], "processed", id="rfnd_auto", created_at=int(time.time()))
    fakes.razorpay.refunds["rfnd_auto"] = back
    fakes.razorpay.emit("refund.processed", refund=back, payment=late)
    rig.deliver()
    sync_open()
    assert states(payment)[1] == "pending"
    assert Payment.objects.filter(captured_cents__gt=0).count() == 0


def test_an_authorised_payment_of_a_receipt_paid_by_hand_is_let_go(fakes: Providers, receipt: Receipt) -> None:
    rig: Any = RIGS["razorpay.checkout"](fakes)
    payment = rig.start(receipt)
    mark_paid(actor=Actor("fin"), receipt=receipt, method="manual", tx_ref="cash")
    Payment.objects.update(status="authorized")
    rig.pay(payment)
    result = sync_open()
    assert (result.errors, result.closed) == ([], 1)
    assert states(payment) == ("canceled", "paid")
    assert fakes.razorpay.money()["captured"] == 0


def test_a_refund_is_not_sent_again_while_its_record_cannot_be_read(fakes: Providers, receipt: Receipt) -> None:
    """The answer was lost, the provider has forgotten the key, and its record cannot be read just now."""
    rig: Any = RIGS["stripe.card"](fakes)
    payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    fakes.stripe.faults.plan("POST", "/v1/refunds", "reset_after")
    with pytest.raises(ProviderError):
        refund_payment(actor=FINANCE, payment=payment, amount_minor=3000, reason="x")
    fakes.stripe.keys._kept.clear()  # type: ignore[attr-defined]
    let_the_lease_pass()
    fakes.stripe.faults.plan("GET", "/v1/checkout", "503", times=1)
    assert len(sync_open().errors) == 1
    let_the_lease_pass()
    assert sync_open().errors == []
    assert fakes.stripe.money()["refunded"] == 3000
    assert list(Refund.objects.values_list("status", flat=True)) == ["succeeded"]
    assert_books()


def test_keys_that_are_gone_block_no_payer(fakes: Providers, receipt: Receipt, settings: Any, client: Any) -> None:
    payment = RIGS["stripe.card"](fakes).start(receipt)
    settings.STRIPE_SECRET_KEY = ""
    client.force_login(receipt.user)
    assert client.get(f"/payments/{payment.pk}/").status_code == 503
    assert RIGS["omise.promptpay"](fakes).start(receipt).status == "pending"
    assert states(payment)[0] == "canceled"


def test_pages_of_a_void_receipt_ask_for_nothing(fakes: Providers, receipt: Receipt, client: Any) -> None:
    payment = RIGS["omise.promptpay"](fakes).start(receipt)
    void_receipt(actor=FINANCE, receipt=receipt, reason="wrong")
    client.force_login(receipt.user)
    page = client.get(f"/payments/{payment.pk}/", follow=True).content.decode()
    assert "This receipt is void" in page
    assert "qr.svg" not in page


@pytest.mark.parametrize("rid", ["9" * 5000, "9" * 30, "-1", "x", ""])
def test_numbers_that_no_database_holds_are_absent(client: Any, receipt: Receipt, rid: str) -> None:
    client.force_login(receipt.user)
    assert client.get("/payments/thanks", {"rid": rid}).status_code == 404


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://evil.example;script-src *", "//x", "ftp://x/"])
def test_an_address_that_is_none_is_not_shown(
    fakes: Providers, receipt: Receipt, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    from payments.providers.base import Checkout
    from payments.providers.stripe.provider import StripeProvider

    monkeypatch.setattr(StripeProvider, "create_checkout", lambda *_: Checkout("cs_1", address))
    with pytest.raises(ProviderError):
        RIGS["stripe.card"](fakes).start(receipt)
