"""Days compared with the providers' own records: what differs, and money that nobody here holds."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.models import Receipt
from core.periods import today
from payments import providers
from payments.models import Payment, ReconciliationDay
from payments.services.reconciliation import compare_days, sync_open
from payments.services.refunds import refund_payment
from tests.fakes.providers import Providers
from tests.payments.rigs import FINANCE, RIGS, new_receipt

pytestmark = pytest.mark.django_db
WAYS = ("stripe.card", "omise.promptpay", "omise.card", "razorpay.checkout")


@pytest.fixture
def receipt(alice: Any) -> Receipt:
    return new_receipt()


@pytest.fixture(params=WAYS)
def rig(request: pytest.FixtureRequest, fakes: Providers) -> Any:
    return RIGS[request.param](fakes)


@pytest.fixture
def paid(rig: Any, receipt: Receipt) -> Payment:
    payment: Payment = rig.start(receipt)
    rig.pay(payment)
    rig.deliver()
    payment.refresh_from_db()
    return payment


def compare(name: str) -> list[ReconciliationDay]:
    return compare_days(provider=providers.provider(name), start=today() - timedelta(days=1), end=today())


def test_a_day_on_which_all_agrees(rig: Any, paid: Payment) -> None:
    (day,) = compare(rig.name)
    assert (day.provider_count, day.provider_cents, day.our_count, day.our_cents) == (1, 8000, 1, 8000)
    assert (day.difference_cents, day.unknown) == (0, [])
    assert Payment.objects.get(pk=paid.pk).reconciled_at is not None


def test_money_that_we_have_not_heard_of_is_a_difference_until_it_is_found(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    if not rig.captures:
        assert compare(rig.name) == []
    else:
        (day,) = compare(rig.name)
        assert (day.difference_cents, len(day.unknown)) == (8000, 1)
    sync_open()
    (day,) = compare(rig.name)
    assert (day.difference_cents, day.unknown) == (0, [])


def test_money_that_we_wait_for_is_named_as_ours_with_its_currency(rig: Any, receipt: Receipt) -> None:
    payment = rig.start(receipt)
    rig.pay(payment)
    if not rig.captures:
        return
    out = StringIO()
    with suppress(SystemExit):
        call_command("reconcile_payments", "--dry-run", "--provider", rig.name, stdout=out)
    told = out.getvalue()
    assert f"payment {payment.pk}, here " in told or "not known here, or not yet" in told
    assert "(THB\N{NO-BREAK SPACE}80.00)" in told
    assert "nobody's" not in told


def test_money_of_nobody_is_named(rig: Any, paid: Payment) -> None:
    Payment.objects.filter(pk=paid.pk).update(
        external_payment_id="other", external_charge_id="other2", captured_at=paid.captured_at - timedelta(days=30)
    )
    (day,) = compare(rig.name)
    assert day.difference_cents == 8000
    assert day.unknown == [{"id": paid.external_charge_id, "amount": 8000}]


def test_money_that_only_we_have_is_a_difference_the_other_way(rig: Any, paid: Payment) -> None:
    Payment.objects.filter(pk=paid.pk).update(captured_cents=9000)
    (day,) = compare(rig.name)
    assert day.difference_cents == -1000


def test_refunds_count_on_the_day_of_their_payment(rig: Any, paid: Payment, settings: Any) -> None:
    settings.OMISE_REFUNDABLE = ["card", "promptpay"]
    refund_payment(actor=FINANCE, payment=paid, amount_minor=3000, reason="x")
    (day,) = compare(rig.name)
    assert (day.provider_refunded_cents, day.our_refunded_cents, day.difference_cents) == (3000, 3000, 0)


def test_a_second_run_writes_the_same_rows_anew(rig: Any, paid: Payment) -> None:
    compare(rig.name)
    compare(rig.name)
    assert ReconciliationDay.objects.count() == 1


def test_the_command_tells_the_difference_and_ends_with_3(rig: Any, paid: Payment, capsys: Any) -> None:
    call_command("reconcile_payments", "--provider", rig.name, "--format", "json")
    answer = json.loads(capsys.readouterr().out)
    assert (answer["differing"], answer["checked"], answer["errors"]) == (0, 1, [])
    assert answer["days"][0]["provider_net"] == "80.00"
    Payment.objects.filter(pk=paid.pk).update(captured_cents=8100)
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile_payments", "--provider", rig.name, "--dry-run", "--format", "json")
    assert ended.value.code == 3
    assert json.loads(capsys.readouterr().out)["days"][0]["difference"] == "-1.00"


def test_a_look_writes_nothing_and_forgets_nothing(rig: Any, paid: Payment) -> None:
    command = ("reconcile_payments", "--provider", rig.name)
    call_command(*command, "--dry-run")
    assert not ReconciliationDay.objects.exists()
    assert not Payment.objects.filter(reconciled_at__isnull=False).exists()
    call_command(*command)
    kept = list(ReconciliationDay.objects.values())
    Payment.objects.filter(pk=paid.pk).update(captured_at=paid.captured_at - timedelta(days=30))
    with pytest.raises(SystemExit):
        call_command(*command, "--dry-run")
    assert list(ReconciliationDay.objects.values()) == kept


@pytest.mark.parametrize("rig", ["stripe.card"], indirect=True)
def test_a_provider_that_is_not_offered_any_more_is_followed_while_its_money_may_move(
    rig: Any, paid: Payment, settings: Any
) -> None:
    settings.PAYMENT_PROVIDER_NAMES = ["manual"]
    rig.fake.refund_in_dashboard(rig.charge(paid), 3000)
    rig.calls()  # lost
    assert providers.in_use() == ["manual", "stripe"]
    sync_open()
    paid.refresh_from_db()
    assert paid.refunded_cents == 3000
    Payment.objects.update(paid_at=paid.paid_at - timedelta(days=61))
    assert providers.in_use() == ["manual"]


def test_a_provider_that_cannot_be_reached_ends_with_69(fakes: Providers, settings: Any) -> None:
    settings.STRIPE_API_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError) as ended:
        call_command("reconcile_payments", "--provider", "stripe")
    assert ended.value.returncode == 69


def test_an_unknown_provider_and_a_reversed_window_are_refused(fakes: Providers) -> None:
    for arguments in (["--provider", "paypal"], ["--start", "2026-11-02", "--end", "2026-11-01"]):
        with pytest.raises(CommandError):
            call_command("reconcile_payments", *arguments)
