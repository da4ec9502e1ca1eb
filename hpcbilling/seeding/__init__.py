"""The demo world: sample usage priced, billed and paid by the same services as the real thing."""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from accounts.models import (
    MemberRole,
    Organisation,
    Project,
    ProjectAccount,
    ProjectLead,
    RuleKind,
    Tier,
    TierRule,
    User,
)
from accounts.services.approvals import WaitsForSecond
from accounts.services.members import add_member
from accounts.services.organisations import create_organisation, create_project
from accounts.services.users import DemoUser, create_demo_users
from audit.models import AuditLog
from audit.services import record
from billing.models import Receipt, ReceiptStatus
from billing.services.receipts import create_all, create_receipts, mark_paid_by_hand, void_receipt
from core.context import SYSTEM, Actor
from core.errors import Misconfigured
from core.periods import month_start, next_month, today
from hpcbilling.pages import morning
from hpcbilling.seeding.invoices import make_institute, make_invoices, make_prices
from hpcbilling.seeding.metering import make_metering
from payments.models import Payment
from payments.providers.dummy.provider import signed_event
from payments.services.checkout import start_payment
from payments.services.refunds import refund_payment
from payments.services.webhooks import receive
from subscriptions.models import AiModel, LimitWindow, Plan
from subscriptions.services.catalogue import ModelPrices, create_model
from subscriptions.services.subscriptions import request_subscription
from usage.models import Job
from usage.services.imports import ImportResult, import_usage

SAMPLE = Path(__file__).parents[1] / "sample"
_TIME_COLUMNS = ("Submit", "Start", "End")
_RULES = (
    (10, RuleKind.ACCOUNT, "physics", "mu"),
    (20, RuleKind.ACCOUNT, "chem", "mu"),
    (30, RuleKind.ACCOUNT, "gov-*", "gov"),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    jobs: int
    receipts: dict[str, int]
    payments: int
    cast: list[DemoUser]


def is_empty() -> bool:
    return not Job.objects.exists() and not Receipt.objects.exists()


def is_made() -> bool:
    """The demo world was made here before."""
    return AuditLog.objects.filter(action="demo_seed").exists()


def seed() -> Seeded:
    """Make users, tiers, usage, receipts in every state and payments. DEBUG only: its passwords are public."""
    if not settings.DUMMY_PROVIDER_ALLOWED:
        raise Misconfigured("seed_demo makes accounts with public passwords; it runs only with DEBUG=1.")
    cast = create_demo_users(actor=SYSTEM)
    make_tier_rules()
    make_project()
    make_plans()
    import_sample()
    import_usage(actor=SYSTEM, source="csv", file=str(SAMPLE / "broken.psv"), timezone="UTC")
    months = _closed_months()
    make_prices(since=months[0] if months else month_start(today()))
    make_subscriptions()
    make_institute()
    make_metering()
    for month in months:
        _bill_and_pay(month)
    make_invoices(months)
    morning.note()
    record(actor=SYSTEM, action="demo_seed", target="demo world")
    return Seeded(
        jobs=Job.objects.count(),
        receipts={status: Receipt.objects.filter(status=status).count() for status in ReceiptStatus.values},
        payments=Payment.objects.count(),
        cast=cast,
    )


def make_tier_rules() -> None:
    for position, kind, pattern, tier in _RULES:
        TierRule.objects.get_or_create(
            position=position, defaults={"kind": kind, "pattern": pattern, "tier": Tier.objects.get(pk=tier)}
        )


def make_project() -> None:
    """An organisation with an owner and a viewer; a project of two Slurm accounts with a lead, and one without any."""
    faculty = Organisation.objects.filter(name="Faculty of Science").first() or create_organisation(
        actor=Actor("finance"), name="Faculty of Science", billing_email="science@example.ac.th"
    )
    names = {
        "Materials at low temperature": "Simulation and data",
        "Language models": "What its programs ask of models",
    }
    for name, description in names.items():
        if not Project.objects.filter(organisation=faculty, name=name).exists():
            create_project(actor=Actor("finance"), organisation=faculty, name=name, description=description)
    project = Project.objects.get(organisation=faculty, name="Materials at low temperature")
    for account in ("physics", "chem"):
        ProjectAccount.objects.get_or_create(account=account, defaults={"project": project})
    for username, role in (("alice", MemberRole.OWNER), ("bob", MemberRole.VIEWER)):
        user = User.objects.filter(pk=username).first()  # the cast can be set by DEMO_USERS
        if user is not None:
            add_member(actor=Actor("finance"), organisation=faculty, user=user, role=role)
    if User.objects.filter(pk="alice").exists():
        ProjectLead.objects.get_or_create(project=project, user_id="alice")


def make_plans() -> None:
    """Two models, one of them restricted, and three plans."""
    if AiModel.objects.exists():
        return
    finance = Actor("finance")
    open_model = create_model(
        actor=finance, id="typhoon-2-8b", name="Typhoon 2 8B", provider="scb10x", capabilities=["chat"],
        context_length=8192, prices=ModelPrices(Decimal("0.02"), Decimal("0.06"), settings.PAYMENT_CURRENCY),
    )  # fmt: skip
    closed_model = create_model(
        actor=finance, id="thai-med-70b", name="Thai Med 70B", provider="local", capabilities=["chat"],
        restricted=True, prices=ModelPrices(Decimal("0.40"), Decimal("1.20"), settings.PAYMENT_CURRENCY),
    )  # fmt: skip
    for code, name, name_th, model, waits, tokens in (
        ("chat-basic", "Chat, basic", "แชต ขั้นพื้นฐาน", open_model, False, 200_000),
        ("chat-research", "Chat, research", "แชต งานวิจัย", open_model, False, 5_000_000),
        ("medical", "Medical model", "โมเดลการแพทย์", closed_model, True, 1_000_000),
    ):
        plan = Plan.objects.create(code=code, name=name, name_th=name_th, ai_model=model, requires_approval=waits)
        plan.limits.create(metric="tokens", limit=tokens)
        plan.limits.create(metric="requests", limit=1000, window=LimitWindow.HOUR)


def make_subscriptions() -> None:
    """One that runs, and one that waits for approval; their organisation pays, as the pages would ask."""
    if alice := User.objects.filter(pk="alice").first():
        faculty = Organisation.objects.get(name="Faculty of Science")
        for code in ("chat-basic", "medical"):
            plan = Plan.objects.get(code=code)
            request_subscription(actor=Actor("alice"), plan=plan, user=alice, organisation=faculty)


def import_sample() -> ImportResult:
    """Import the sample, moved by whole days so that its last job ended within the last 24 hours."""
    with tempfile.NamedTemporaryFile("w", suffix=".psv", encoding="utf-8") as moved:
        moved.writelines(_moved_lines())
        moved.flush()
        return import_usage(actor=SYSTEM, source="csv", file=moved.name, timezone="UTC")


def _moved_lines() -> Iterator[str]:
    with gzip.open(SAMPLE / "usage.psv.gz", "rt", encoding="utf-8") as sample:
        header, *lines = sample.read().splitlines()
    columns = [header.split("|").index(name) for name in _TIME_COLUMNS]
    rows = [line.split("|") for line in lines]
    last = max(int(row[columns[2]]) for row in rows if row[columns[2]].isdigit())
    days = int(time.time() - last) // 86400
    yield header + "\n"
    for row in rows:
        for column in columns:
            if row[column].isdigit():
                row[column] = str(int(row[column]) + days * 86400)
        yield "|".join(row) + "\n"


def _closed_months() -> list[date]:
    """First days of the months that are over and have usage, oldest first."""
    oldest = Job.objects.filter(end_at__isnull=False).order_by("end_at").values_list("end_at", flat=True).first()
    months, month = [], month_start(oldest.date()) if oldest else month_start(today())
    while month < month_start(today()):
        months.append(month)
        month = next_month(month)
    return months


def _bill_and_pay(month: date) -> None:
    """Old months are paid; the last but one shows every state; the last one is still to be paid."""
    run = create_all(actor=Actor("finance"), start=month, end=next_month(month) - timedelta(days=1))
    age = (month_start(today()).year - month.year) * 12 + month_start(today()).month - month.month
    for number, receipt in enumerate(run.receipts):
        if age > 2:  # noqa: PLR2004 - months
            _pay_old(number, receipt)
        elif age == 2:  # noqa: PLR2004
            _show_a_state(number, receipt)


def _pay_old(number: int, receipt: Receipt) -> None:
    if number % 3 == 2:  # noqa: PLR2004 - every third came by bank transfer
        with suppress(WaitsForSecond):  # a site that wants two has it under Second signatures, as ever
            mark_paid_by_hand(actor=Actor("finance"), receipt=receipt, tx_ref=f"bank transfer {receipt.pk:06d}")
    else:
        _pay_online(receipt, "payment.succeeded")


def _show_a_state(number: int, receipt: Receipt) -> None:
    if number == 0:
        void_receipt(
            actor=Actor("finance"), receipt=receipt, reason="Made before the month was complete; see the next one"
        )
        create_receipts(actor=Actor("finance"), username=receipt.username, start=receipt.start, end=receipt.end)
    elif number == 1:
        _pay_online(receipt, "payment.failed")
    elif number == 2:  # noqa: PLR2004
        _pay_online(receipt, "payment.succeeded", amount=1)
    else:
        _pay_online(receipt, "payment.succeeded")
    if number in (3, 4):
        _give_back(receipt, part=number == 4)  # noqa: PLR2004


def _give_back(receipt: Receipt, *, part: bool) -> None:
    payment = Payment.objects.get(receipt=receipt)
    amount = payment.amount_cents // 2 if part else payment.amount_cents
    reason = "Half of the jobs were lost to a cooling failure" if part else "Paid from the wrong fund; paid again by it"
    with suppress(WaitsForSecond):
        refund_payment(actor=Actor("finance"), payment=payment, amount_minor=max(amount, 1), reason=reason)


def _pay_online(receipt: Receipt, event_type: str, **changes: object) -> None:
    payment = start_payment(actor=Actor(receipt.username), receipt=receipt)
    body, headers = signed_event(
        payment, event_type, event_id=f"evt_demo_{payment.pk}", timestamp=int(time.time()), **changes
    )
    receive(provider_name="dummy", body=body, headers=headers)
