"""One plausible row of each model that the services of ``world`` have not made."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.utils import timezone

from accounts.models import EmailNotification
from accounts.services.invitations import invite
from core.context import Actor
from subscriptions.services.catalogue import ModelPrices, create_model
from subscriptions.services.subscriptions import request_subscription

NOON = datetime(2026, 10, 15, 5, 0, tzinfo=UTC)
DAY = date(2026, 10, 15)
ONE = Decimal(1)
MONEY = {"currency": "THB", "amount": ONE}
AGO = timedelta(hours=1)


def add_all(world: Any) -> None:
    for step in (_people, _subscriptions, _usage, _bills, _payments, _site):
        step(world)


def _new(world: Any, model: str, /, **values: Any) -> Any:
    world.rows[model] = row = apps.get_model(model)._default_manager.create(**values)
    return row


def _people(world: Any) -> None:
    physics = world.row("accounts.Organisation")
    alice, finance = world.people["alice"], world.people["finance"]
    invited = invite(
        actor=Actor("owner"), organisation=physics, email="new@example.ac.th", role="member", language="en"
    )
    world.rows["accounts.Invitation"] = invited
    link = re.search(r"/invitations/([\w-]+)/", EmailNotification.objects.get().body_text)
    assert link
    world.invitation = link[1]
    _new(world, "accounts.Approval", act="mark_paid", target=1, label="R1", asked_by="finance", **MONEY)
    _new(world, "accounts.Identity", user=alice, email="alice@example.ac.th")
    _new(
        world, "accounts.EmailNotification", recipient_email="a@example.ac.th", kind="alert", subject="s", body_text="t"
    )
    _new(world, "accounts.AuthThrottle", username="alice", ip="192.0.2.1", window_start=timezone.now())
    hook = _new(world, "accounts.WebhookEndpoint", url="https://hooks.example.org/x", secret="whsec_" + "a" * 32,
                created_by="owner", organisation=physics)  # fmt: skip
    _new(world, "accounts.WebhookDelivery", endpoint=hook, message_id="msg_1", event_type="ping", body="{}")
    _new(world, "accounts.TestClock", name="Year end", frozen_time=NOON, created_by="finance")
    _new(world, "accounts.Work", kind="export", title="Export", owner=finance)
    _new(world, "accounts.TierOverride", username="alice", tier_id="mu", reason="agreed", set_by="finance")
    for label in (
        "accounts.Tier",
        "accounts.TierRule",
        "auth.Group",
        "billing.Rate",
        "billing.RateVersion",
        "audit.AuditLog",
    ):
        world.rows[label] = apps.get_model(label)._default_manager.first()


def _subscriptions(world: Any) -> None:
    prices = ModelPrices(Decimal("0.02"), Decimal("0.06"), "THB")
    model = create_model(
        actor=Actor("finance"), id="typhoon-2-8b", name="Typhoon", provider="scb10x", capabilities=["chat"],
        context_length=8192, prices=prices,
    )  # fmt: skip
    world.rows["subscriptions.AiModel"] = model
    plan = _new(world, "subscriptions.Plan", code="chat", name="Chat", name_th="แชต", ai_model=model)
    price = _new(world, "subscriptions.PlanPrice", plan=plan, billing_cycle="monthly", effective_from=date(2026, 1, 1),
                 set_by="finance", **MONEY)  # fmt: skip
    held = request_subscription(actor=Actor("alice"), plan=plan, user=world.people["alice"])
    world.rows["subscriptions.Subscription"] = held
    _new(world, "billing.SubscriptionCharge", subscription=held, kind="fee", price=price, period_start=NOON,
         period_end=NOON + timedelta(days=30), due_at=NOON, **MONEY)  # fmt: skip
    now = timezone.now()
    window = _new(world, "usage.QuotaWindow", subscription=held, metric="tokens", window="day", starts_at=now - AGO)
    _new(world, "usage.QuotaReservation", subscription=held, amounts={str(window.pk): "1"}, expires_at=now + AGO)


def _usage(world: Any) -> None:
    physics, project, job = (
        world.row(f"{name}") for name in ("accounts.Organisation", "accounts.Project", "usage.Job")
    )
    run = world.rows["usage.ImportRun"] = job.import_run
    _new(world, "usage.Cluster", name="bench2")
    _new(world, "usage.Meter", code="calls", metric_name="api.call")
    _new(world, "usage.UsageAggregate", organisation=physics, project=project, metric_name="api.call", period_type="day",
         period_start=NOON, total_value=ONE, event_count=1, min_value=ONE, max_value=ONE, latest_value=ONE, latest_at=NOON)  # fmt: skip
    rule = _new(world, "usage.AlertRule", name="Much", alert_type="usage_threshold", metric_name="api.call",
                threshold_value=ONE, created_by="owner", organisation=physics)  # fmt: skip
    _new(world, "usage.AlertHistory", alert_rule=rule, organisation=physics, alert_type=rule.alert_type, actual_value=ONE,
         comparison_period="month", period_start=NOON, period_end=NOON + timedelta(days=30))  # fmt: skip
    _new(world, "usage.QuarantinedRow", run=run, source="csv", reason="bad_elapsed", raw="x", raw_sha256="0" * 64)
    _new(
        world,
        "usage.Reconciliation",
        cluster="bench",
        source="sacct",
        window_start=NOON,
        window_end=NOON + AGO,
        actor="system",
    )
    _new(world, "usage.Adjustment", job=job, run=run, document="R1", before={}, after={}, record={}, digest="0" * 64)


def _bills(world: Any) -> None:
    physics = world.row("accounts.Organisation")
    _new(world, "billing.PricingPlan", metric_name="api.call", currency="THB", price_per_unit=ONE, set_by="finance",
         effective_from=date(2026, 1, 1))  # fmt: skip
    _new(world, "billing.ExchangeRate", base_currency="USD", target_currency="THB", rate=Decimal(33), effective_from=NOON,
         source="manual", set_by="finance")  # fmt: skip
    _new(
        world,
        "billing.Discount",
        organisation=physics,
        name="agreed",
        percent=ONE,
        effective_from=DAY,
        set_by="finance",
    )
    _new(world, "billing.TaxRate", code="vat", category="S", label="VAT", rate=ONE, effective_from=DAY,
         set_by="finance")  # fmt: skip
    _new(world, "billing.TaxRule", organisation=physics, tax="vat", effective_from=DAY, set_by="finance")
    _new(world, "billing.InvoiceTemplate", name="House style", html_content="x", created_by="finance")
    invoice = _new(world, "billing.Invoice", organisation=physics, month=9, year=2026, currency="THB", created_by="finance",
                   subtotal=ONE, total=ONE, amount_due=ONE)  # fmt: skip
    _new(world, "billing.InvoiceLine", invoice=invoice, line_number=1, kind="other", description="Calls", quantity=ONE,
         total=ONE, net=ONE, currency="THB")  # fmt: skip
    invoice.status, invoice.invoice_number, invoice.fiscal_year, invoice.serial = "finalized", "INV-1", 2026, 1
    invoice.issue_date = invoice.due_date = DAY
    invoice.save()
    _new(world, "billing.CreditNote", invoice=invoice, number="CN-1", fiscal_year=2026, serial=1, issue_date=DAY,
         reason="agreed", currency="THB", subtotal=ONE, tax=0, total=ONE, created_by="finance")  # fmt: skip
    _new(world, "billing.InvoicePayment", invoice=invoice, method="manual", reference="slip", received_on=DAY,
         created_by="finance", **MONEY)  # fmt: skip
    _new(world, "billing.CreditEntry", organisation=physics, reason="agreed", created_by="finance", **MONEY)
    _new(world, "billing.WriteOff", invoice=invoice, written_on=DAY, reason="lost", created_by="finance", **MONEY)
    entry = _new(world, "billing.JournalEntry", kind="write_off", source_id=999, date=DAY, fact_date=DAY, currency="THB",
                 postings_count=1, posted_by="system", organisation=physics, invoice=invoice)  # fmt: skip
    _new(world, "billing.JournalPosting", entry=entry, position=1, debit="bad_debt", credit="receivable", amount=ONE)
    _new(world, "billing.AccountingPeriod", month=date(2026, 7, 1), closed_by="finance", closed_at=NOON)
    _new(world, "billing.JournalExport", last_day=DAY, entries=1, created_by="finance")
    for label in ("billing.LedgerAccount", "billing.ExportColumn"):
        world.rows[label] = apps.get_model(label)._default_manager.first()
    month = _new(world, "billing.ClosedMonth", month=date(2026, 8, 1), closed_by="finance")
    _new(world, "billing.MonthAdjustment", closed_month=month, kind="late_usage", dated=DAY, jobs=1, reason="late", receipt=world.row("billing.Receipt"),
         made_by="finance", **MONEY)  # fmt: skip


def _payments(world: Any) -> None:
    payment = world.row("payments.Payment")
    _new(world, "payments.PaymentEvent", provider="dummy", external_event_id="evt_1")
    _new(world, "payments.ReconciliationDay", provider="dummy", day=DAY, currency="THB", checked_at=NOON)
    _new(world, "payments.Refund", payment=payment, amount_cents=1, idempotency_key="k-refund")
    _new(world, "payments.Dispute", payment=payment, external_dispute_id="dp_1", amount_cents=1)
    _new(world, "payments.BankTransfer", payment=payment, bank="SCB", reference="REF1", claimed_cents=1,
         transferred_on=DAY, submitted_by="alice")  # fmt: skip
    _new(world, "payments.BankLine", bank="SCB", line_key="l1", posted_on=DAY, currency="THB", amount_cents=1,
         file_sha256="0" * 64, imported_by="finance")  # fmt: skip


def _site(world: Any) -> None:
    _new(world, "hpcbilling.PeriodicTask", name="send_emails")
    finance = world.people["finance"]
    _new(world, "hpcbilling.SavedFilter", user=finance, where="usage.job", name="Mine", query="q=1")
