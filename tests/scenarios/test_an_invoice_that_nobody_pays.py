"""An institute does not pay its invoice: reminders, past due, rest; then a card for a part, a transfer for the rest,
and everything runs again. Only commands, pages and the API, as people and programs use them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts.models import EmailNotification, Member, WebhookDelivery
from accounts.services.api_keys import issue_key
from accounts.services.webhooks import create_endpoint
from billing.models import Invoice, InvoiceNotice
from core.context import SYSTEM
from payments.models import BankTransfer, Payment
from subscriptions.models import Plan, Subscription
from tests.billing.invoicing import fee, make_customer
from tests.pages.conftest import text
from tests.payments.conftest import call
from tests.scenarios.test_a_month_of_an_organisation import books, command, signed_in

pytestmark = pytest.mark.django_db
KINDS = ("invoice.finalized", "invoice.overdue", "invoice.paid", "payment.succeeded", "subscription.changed")


def sent(kind: str) -> int:
    return EmailNotification.objects.filter(kind=kind).count()


def test_reminded_past_due_suspended_paid_in_parts_and_resumed(
    make_user: Any, finance: Any, settings: Any, client: Any
) -> None:
    settings.PAYMENT_PROVIDER_NAMES, settings.PAYMENT_PROVIDER = ["dummy", "manual"], "dummy"
    settings.ORG_BANK_NAME, settings.ORG_BANK_ACCOUNT = "SCB", "123-4-56789-0"
    institute = make_customer("Institute of Imaging", account="imaging", billing_email="bills@imaging.example")
    place = institute.organisation
    Member.objects.create(organisation=place, user=make_user("payer", language="th"), role="billing_manager")
    create_endpoint(actor=SYSTEM, url="https://93.184.216.34/hook", organisation=place, kinds=KINDS)
    fee(institute, "1200")
    pro = Subscription.objects.get()
    Plan.objects.get().limits.create(metric="requests", window="day", limit=1000)
    key = issue_key(actor=SYSTEM, name="calls", scopes=["events:write", "usage:read"], project=institute).secret

    def reserve() -> tuple[int, str]:
        found = client.post(
            "/api/v1/quota/reservations", {"subscription": str(pro.uuid), "amounts": {"requests": "1"}},
            content_type="application/json", headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
        return found.status_code, found.json().get("code", "")

    def on(days: int) -> Any:
        """Noon in Bangkok, so many days after the due day."""
        day = due + timedelta(days=days)
        return time_machine.travel(f"{day}T05:00:00Z", tick=False)

    # 1. the invoice is made, and is quiet until three days before it is due
    with time_machine.travel("2026-11-02T05:00:00Z"):
        command("run_invoices", "--month", "2026-10", "--finalize")
        invoice = Invoice.objects.get()
        due: date = invoice.due_date  # type: ignore[assignment]
        assert command("send_reminders")["reminded"] == 0
    with on(-3):
        assert command("send_reminders", "--dry-run")["reminded"] == 1
        assert command("send_reminders")["by_step"] == {"-3": 1}
        assert command("send_reminders")["reminded"] == 0
    first = EmailNotification.objects.get(kind="invoice_reminder")
    assert (first.recipient_email, first.language) == ("bills@imaging.example", "th")

    # 2. reminders go on; a week late its subscriptions are past due, and still run
    for days in (1, 7):
        with on(days):
            command("send_reminders")
    pro.refresh_from_db()
    assert (pro.status, reserve()[0]) == ("past_due", 201)

    # 3. the machine that runs the commands was off for two weeks: one reminder, the latest
    with on(22):
        assert command("send_reminders")["by_step"] == {"21": 1}

    # 4. a month late they rest, and calls are told why
    with on(30):
        done = command("send_reminders")
        assert (done["reminded"], done["suspended"]) == (1, 1)
    pro.refresh_from_db()
    assert (pro.status, pro.suspended_for) == ("suspended", "payment")
    assert reserve() == (409, "subscription_not_usable")
    assert list(InvoiceNotice.objects.filter(kind="reminder").order_by("pk").values_list("step", flat=True)) == [
        -3, 1, 7, 21, 30,
    ]  # fmt: skip
    assert (sent("invoice_reminder"), sent("past_due"), sent("subscription")) == (5, 1, 1)

    # 5. the payer takes a card for 700 of 1,200
    with on(32):
        payer = signed_in("payer")
        payer.post(f"/payments/invoice/{invoice.uuid}/start", {"way": "dummy.page", "amount": "700.00"})
        assert call(Payment.objects.get()).status_code == 200
        invoice.refresh_from_db()
        pro.refresh_from_db()
        assert (invoice.status, invoice.amount_due, pro.status) == ("finalized", 500, "suspended")
        assert books() == {}

        # 6. and transfers the rest; finance sees it at the bank
        payer.post(f"/payments/invoice/{invoice.uuid}/start", {"way": "manual.transfer", "amount": "500.00"})
        payment = Payment.objects.latest("pk")
        told = {"bank": "SCB", "reference": "R1", "amount": "500.00", "transferred_on": f"{due + timedelta(days=31)}"}
        assert payer.post(f"/payments/{payment.pk}/transfer", told).status_code == 302
        transfer = BankTransfer.objects.get()
        accept = {"amount": "500.00", "note": "on the statement", "confirm": "1"}
        signed_in("fin").post(f"/admin/payments/banktransfer/{transfer.pk}/accept/", accept)

        # 7. it is paid, and everything runs again by itself
        invoice.refresh_from_db()
        pro.refresh_from_db()
        assert (invoice.status, invoice.amount_paid, invoice.amount_due) == ("paid", Decimal(1200), 0)
        assert (pro.status, pro.suspended_for) == ("active", "")
        assert reserve()[0] == 201
        assert sent("subscription") == 2, "it rests, it goes on"
        assert command("send_reminders")["unpaid"] == 0
        assert "Paid" in text(signed_in("fin").get(f"/invoices/{invoice.uuid}/"))

    kinds = [json.loads(row.body)["type"] for row in WebhookDelivery.objects.order_by("pk")]
    assert kinds == [
        "invoice.finalized", "invoice.overdue", "subscription.changed", "subscription.changed", "payment.succeeded",
        "invoice.paid", *["subscription.changed"] * 2, "payment.succeeded",
    ]  # fmt: skip
    assert books() == {}
