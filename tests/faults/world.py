"""A small site to do things to: two people with jobs, a card provider at the other end of a wire that can break, a clock
that can jump and a database that can go away. Every act goes through the services that people and providers use."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from billing.models import Receipt
from billing.services.receipts import create_receipts, mark_paid, void_receipt
from core.context import Actor
from core.errors import AppError
from payments.models import OPEN_STATUSES, Payment, PaymentStatus, Refund, RefundStatus
from payments.models.refunds import HOLDING
from payments.services.reconciliation import sync_open
from payments.services.refunds import refund_payment
from payments.services.webhooks import process_pending
from tests.factories import account_tier, make_jobs
from tests.fakes.providers import Providers
from tests.payments.rigs import FINANCE, RIGS, post_call
from tests.payments.test_cuts import cut_at, release_leases

PEOPLE = ("alice", "bob")
OCTOBER = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
NETWORK = ("reset_before", "reset_after", "500_before", "500_after", "503", "429", "html", "truncated")
CALLS = (("POST", "/v1/checkout/sessions"), ("GET", "/v1/checkout/sessions"), ("POST", "/v1/refunds"))
JUMPS = (timedelta(days=-1), timedelta(hours=-2), timedelta(minutes=-7), timedelta(minutes=7), timedelta(days=1))
Call = tuple[str, bytes, dict[str, str]]


class World:
    """``chance`` decides everything, so that a run can be had again. Errors in words are answers; anything else is a
    fault, unless the database was made to go away."""

    def __init__(self, fakes: Providers, chance: random.Random) -> None:
        self.chance = chance
        self.rig: Any = RIGS["stripe.card"](fakes)
        self.fake: Any = fakes.stripe
        self.waiting: list[Call] = []
        self.said: list[str] = []
        self.clock: Any = None
        for name in PEOPLE:
            User.objects.get_or_create(username=name)
        account_tier("physics", "mu")

    # What people do.
    def compute(self) -> None:
        make_jobs(self.chance.randint(1, 3), username=self.chance.choice(PEOPLE), cpus=self.chance.randint(40, 200))

    def bill(self) -> None:
        self.compute()
        name = self.chance.choice(PEOPLE)
        create_receipts(actor=Actor(name), username=name, **OCTOBER)

    def start(self) -> None:
        states = ("pending",) if self.chance.random() < 0.9 else ("paid", "refunded", "void")
        if receipt := self._one(Receipt.objects.filter(status__in=states)):
            self.rig.start(receipt)

    def pay(self) -> None:
        if session := self._session():
            with suppress(Exception):  # the provider's own refusal: it is paid or over
                self.fake.pay(session, method="card")

    def decline(self) -> None:
        if session := self._session():
            with suppress(Exception):
                self.fake.decline(session)

    def expire(self) -> None:
        if session := self._session():
            with suppress(Exception):
                self.fake.expire(session)

    # What finance does.
    def refund(self) -> None:
        if payment := self._one(Payment.objects.filter(captured_cents__gt=F("refunded_cents"))):
            amount = self.chance.randint(1, payment.captured_cents)
            refund_payment(actor=FINANCE, payment=payment, amount_minor=amount, reason="asked for")

    def refund_all(self) -> None:
        if payment := self._one(Payment.objects.filter(captured_cents__gt=0)):
            left = payment.captured_cents - payment.refunded_cents
            refund_payment(actor=FINANCE, payment=payment, amount_minor=left, reason="asked for")

    def void(self) -> None:
        if receipt := self._one(Receipt.objects.exclude(status="void")):
            void_receipt(actor=FINANCE, receipt=receipt, reason="wrong")

    def pay_by_hand(self) -> None:
        if receipt := self._one(Receipt.objects.filter(status="pending")):
            mark_paid(actor=FINANCE, receipt=receipt, method="manual", tx_ref=f"slip {receipt.pk}")

    # What the provider does.
    def refund_there(self) -> None:
        if charge := self._charge():
            with suppress(Exception):
                self.fake.refund_in_dashboard(charge["id"], self.chance.randint(1, charge["amount"]))

    def dispute(self) -> None:
        if charge := self._charge():
            with suppress(Exception):
                self.fake.open_dispute(charge["id"])

    def decide_dispute(self) -> None:
        if found := self.fake.objects("disputes"):
            with suppress(Exception):
                self.fake.close_dispute(self.chance.choice(found)["id"], won=self.chance.random() < 0.5)

    def call(self) -> None:
        """Some of its calls arrive: late, twice, in any order, and some never."""
        self.waiting += self.rig.calls()
        self.chance.shuffle(self.waiting)
        for _each in range(min(len(self.waiting), 3)):
            call = self.waiting.pop()
            if self.chance.random() < 0.1:
                continue
            for _again in range(self.chance.choice((1, 1, 2))):
                post_call(*call)
            if self.chance.random() < 0.2:
                self.waiting.append(call)

    # What runs by itself.
    def reconcile(self) -> None:
        sync_open()

    def work_on_calls(self) -> None:
        process_pending()

    def wait(self) -> None:
        release_leases()

    # What breaks.
    def break_the_wire(self) -> None:
        method, path = self.chance.choice(CALLS)
        self.fake.faults.plan(method, path, self.chance.choice(NETWORK), times=self.chance.randint(1, 2))

    def jump(self) -> None:
        """Only where a clock was started with ``ticking``."""
        if self.clock is not None:
            self.clock.shift(self.chance.choice(JUMPS))

    def settle(self) -> None:
        """Everything works again, and what should run by itself runs: what is true must then be known."""
        self.fake.faults.clear()
        if self.clock is not None:
            self.clock.move_to(self.begun)
        for _round in range(3):
            release_leases()
            for call in self.rig.calls():
                post_call(*call)
            process_pending()
            sync_open()

    def ticking(self, clock: Any) -> None:
        self.clock, self.begun = clock, timezone.now()

    def act(self, name: str, cut: int = 0) -> None:
        """One act; before statement ``cut`` of it the database goes away."""
        self.said.append(f"{name} {cut}" if cut else name)
        work: Callable[[], None] = getattr(self, name)
        try:
            if not cut:
                work()
                return
            with cut_at(cut) as knife:
                try:
                    work()
                except DatabaseError:
                    assert knife.happened
        except AppError as error:
            self.said[-1] += f" ({error.code})"

    def money(self) -> tuple[dict[str, int], dict[str, int]]:
        """What the provider has, and what we know of it, in minor units. Refunds by hand go through a bank; one that came
        on top of them at the provider is known and waits for a person."""
        captured = sum(Payment.objects.filter(provider="stripe").values_list("captured_cents", flat=True))
        refunds = Refund.objects.filter(
            status__in=(*HOLDING, RefundStatus.NEEDS_REVIEW), by_hand=False, payment__provider="stripe"
        )
        ours = {"captured": captured, "refunded": sum(refunds.values_list("amount_cents", flat=True))}
        theirs = self.fake.money()
        return {name: theirs[name] for name in ours}, ours

    def _one(self, rows: Any) -> Any:
        found = list(rows.order_by("pk"))
        return self.chance.choice(found) if found else None

    def _session(self) -> str:
        states = OPEN_STATUSES if self.chance.random() < 0.9 else PaymentStatus.values
        payments = Payment.objects.filter(provider="stripe", status__in=states)
        payment = self._one(payments.exclude(external_payment_id=""))
        return str(payment.external_payment_id) if payment else ""

    def _charge(self) -> dict[str, Any] | None:
        found = [each for each in self.fake.objects("charges") if each["status"] == "succeeded"]
        return self.chance.choice(found) if found else None


ACTS = {  # how often, beside each other
    "compute": 2, "bill": 12, "start": 12, "pay": 14, "decline": 2, "expire": 1, "refund": 4, "refund_all": 2, "void": 3,
    "pay_by_hand": 1, "refund_there": 3, "dispute": 3, "decide_dispute": 3, "call": 14, "reconcile": 3,
    "work_on_calls": 2, "wait": 4, "break_the_wire": 3, "jump": 2,
}  # fmt: skip
