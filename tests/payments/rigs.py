"""One face for every provider, so that one list of scenarios fits them all.

A rig starts payments through our own service, acts as payer and provider at the other end (the
local provider server, the dummy's signed calls, or a bank), and carries the provider's calls to
our real webhook address.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, ClassVar

from django.test import Client

from billing.models import Receipt
from billing.services.receipts import create_receipts
from core.context import Actor
from core.registry import load
from payments.models import BankTransfer, Payment
from payments.providers.dummy.provider import signed_event
from payments.services.checkout import start_payment
from payments.services.transfers import Report, accept_transfer, submit_transfer
from tests.factories import account_tier, make_job
from tests.fakes.providers import Providers
from tests.fakes.providers.__main__ import settings as addresses_and_secrets

_numbers = itertools.count(1)
ALICE, FINANCE = Actor("alice"), Actor("fin")


def new_receipt(username: str = "alice", cores: int = 76) -> Receipt:
    """A pending receipt: 80.00 THB for one hour of 76 cores, enough for every provider's least amount."""
    account_tier("physics", "mu")
    make_job(username=username, cpus=cores)
    window = {"start": date(2026, 10, 1), "end": date(2026, 10, 31)}
    return create_receipts(actor=Actor(username), username=username, **window)[0]


def post_call(provider: str, body: bytes, headers: dict[str, str]) -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(f"/payments/webhooks/{provider}/", body, content_type="application/json", headers=headers)


class Rig:
    """``cannot``: scenarios that this provider has no counterpart for, with the reason. ``closes``: an open checkout can
    be closed at the provider; where it cannot, what its payer authorises afterwards is never captured."""

    name: ClassVar[str]
    method: ClassVar[str]
    cannot: ClassVar[dict[str, str]] = {}
    closes: ClassVar[bool] = True

    def __init__(self, fakes: Providers | None = None) -> None:
        self.fakes = fakes

    @property
    def captures(self) -> bool:
        """The provider takes the money by itself; where it does not, what does not fit is never taken."""
        return bool(load("PAYMENT_PROVIDERS", self.name).captures)

    def start(self, receipt: Receipt) -> Payment:
        actor = Actor(receipt.username)
        return start_payment(actor=actor, receipt=receipt, provider_name=self.name, method_name=self.method)

    def pay(self, payment: Payment, **how: Any) -> None:
        raise NotImplementedError

    def decline(self, payment: Payment) -> None:
        raise NotImplementedError

    def deliver(self) -> list[int]:
        """Carry every call that waits; their statuses."""
        raise NotImplementedError

    def finish_refunds(self) -> None:
        """Where refunds are slow: they arrive, and we are told."""


class FakeRig(Rig):
    """A provider of the local server."""

    @property
    def fake(self) -> Any:
        assert self.fakes is not None
        return self.fakes.all[self.name]

    def pay(self, payment: Payment, **how: Any) -> None:
        self.fake.pay(payment.external_payment_id, **how)

    def decline(self, payment: Payment) -> None:
        self.fake.decline(payment.external_payment_id)

    def expire(self, payment: Payment) -> None:
        self.fake.expire(payment.external_payment_id)

    def end_refunds(self) -> None:
        for refund in self.fake.objects("refunds"):
            if refund["status"] in ("pending", "requires_action"):
                self.fake.finish_refund(refund["id"], succeeded=True)

    def finish_refunds(self) -> None:
        self.end_refunds()
        self.deliver()

    def charge(self, payment: Payment) -> str:
        payment.refresh_from_db()
        return payment.external_charge_id

    def deliver(self) -> list[int]:
        assert self.fakes is not None
        return self.fakes.pump.deliver(lambda *call: int(post_call(*call).status_code))

    def calls(self) -> list[tuple[str, bytes, dict[str, str]]]:
        assert self.fakes is not None
        return self.fakes.pump.deliveries(self.name)

    # Where each provider opens a checkout, gives money back, and shows a payment.
    creates: ClassVar[tuple[str, str]]
    refunds: ClassVar[str]


class StripeCard(FakeRig):
    name, method = "stripe", "card"
    creates, refunds = ("POST", "/v1/checkout/sessions"), "/v1/refunds"
    cannot = {"fails": "a declined card leaves the session open"}

    def pay(self, payment: Payment, **how: Any) -> None:
        self.fake.pay(payment.external_payment_id, method=self.method, **how)


class StripePromptPay(StripeCard):
    method = "promptpay"
    cannot = {}

    def fail(self, payment: Payment) -> None:
        self.fake.pay_later(payment.external_payment_id)
        self.fake.settle_later(payment.external_payment_id, succeeded=False)


class OmisePromptPay(FakeRig):
    name, method = "omise", "promptpay"
    creates, refunds = ("POST", "/charges"), "/charges"
    cannot = {"retry on the same page": "a failed charge is over", "api refund": "done by hand unless the site says so"}

    def fail(self, payment: Payment) -> None:
        self.decline(payment)


class OmiseCard(FakeRig):
    name, method = "omise", "card"
    creates, refunds = ("POST", "/links"), "/charges"
    cannot = {
        "expires": "links stay open until they are deleted",
        "fails": "a declined card leaves the link open",
        "reference": "a link is ours by its id; its charges carry no reference of their own",
        "mode": "a link and its charge are made by the same key",
    }


class Razorpay(FakeRig):
    name, method = "razorpay", "checkout"
    closes = False
    creates, refunds = ("POST", "/v1/orders"), "/v1/payments"
    cannot = {
        "expires": "orders stay open",
        "reference": "an order is ours by its id",
        "mode": "the key that reads a payment names the mode",
    }

    def fail(self, payment: Payment) -> None:
        self.decline(payment)


class Dummy(Rig):
    name, method = "dummy", "page"
    cannot = {
        "record": "there is no record to read, its calls are all there is",
        "outside": "nothing leaves the process",
    }

    def __init__(self, fakes: Providers | None = None) -> None:
        super().__init__(fakes)
        self._waiting: list[tuple[bytes, dict[str, str]]] = []

    def _call(self, payment: Payment, kind: str, **how: Any) -> None:
        changes = {name: how[name] for name in ("amount", "currency", "reference") if name in how}
        self._waiting.append(
            signed_event(payment, kind, event_id=f"evt_{next(_numbers)}", timestamp=int(time.time()), **changes)
        )

    def pay(self, payment: Payment, **how: Any) -> None:
        self._call(payment, "payment.succeeded", **how)

    def decline(self, payment: Payment) -> None:
        self._call(payment, "payment.failed")

    def fail(self, payment: Payment) -> None:
        self.decline(payment)

    def expire(self, payment: Payment) -> None:
        self._call(payment, "payment.canceled")

    def calls(self) -> list[tuple[str, bytes, dict[str, str]]]:
        waiting, self._waiting = self._waiting, []
        return [(self.name, body, headers) for body, headers in waiting]

    def deliver(self) -> list[int]:
        return [int(post_call(*call).status_code) for call in self.calls()]


class Manual(Rig):
    """A bank: the payer reports a transfer, finance sees it on the statement."""

    name, method = "manual", "transfer"
    cannot = {
        "record": "banks are read by people, or by a statement",
        "outside": "nothing leaves the process",
        "calls": "banks send no calls",
        "fails": "a transfer that does not arrive is rejected; the payment stays open",
        "expires": "an account stays open",
        "late": "the payer reports a transfer on an open payment only",
        "wrong money": "more is a credit and less waits for the rest",
        "api refund": "finance sends it by hand",
    }

    def __init__(self, fakes: Providers | None = None) -> None:
        super().__init__(fakes)
        self._waiting: list[tuple[Payment, int]] = []

    def pay(self, payment: Payment, **how: Any) -> None:
        self._waiting.append((payment, how.get("amount", payment.amount_cents)))

    def deliver(self) -> list[int]:
        waiting, self._waiting = self._waiting, []
        for payment, amount in waiting:
            accept_transfer(actor=FINANCE, transfer=self.report(payment, amount), received_minor=amount, note="seen")
        return [200 for _each in waiting]

    def report(self, payment: Payment, amount: int) -> BankTransfer:
        report = Report("SCB", f"ref-{next(_numbers)}", amount, date.today())  # noqa: DTZ011 - the payer's own day
        return submit_transfer(actor=Actor(payment.username), payment=payment, report=report)


RIGS: dict[str, type[Rig]] = {
    f"{rig.name}.{rig.method}": rig
    for rig in (StripeCard, StripePromptPay, OmisePromptPay, OmiseCard, Razorpay, Dummy, Manual)
}


def rigs_that_can(*needs: str) -> list[str]:
    return [name for name, rig in RIGS.items() if not set(needs) & set(rig.cannot)]


@contextmanager
def running(seed: int = 1) -> Iterator[Providers]:
    with Providers(seed=seed) as fakes:
        yield fakes


def configure(settings: Any, fakes: Providers) -> None:
    """Point the site at the local providers, all of them."""
    settings.PAYMENT_PROVIDER_NAMES = ["dummy", "manual", *fakes.all]
    settings.PAYMENT_PROVIDER = "dummy"
    for name, value in addresses_and_secrets(fakes).items():
        setattr(settings, name, value)
    for name, fake in fakes.all.items():
        setattr(settings, f"{name.upper()}_WEBHOOK_SECRET_OLD", fake.old_webhook_secret)
    settings.ORG_BANK_NAME, settings.ORG_BANK_ACCOUNT = "SCB", "123-4-56789-0"
