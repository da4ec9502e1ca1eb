"""Ending a subscription and asking anew brings no other quota within the same window."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Project
from core.context import SYSTEM
from subscriptions.models import AiModel, Plan, PlanLimit, Subscription, SubscriptionStatus
from subscriptions.services.subscriptions import cancel_subscription
from tests.factories import make_project
from tests.usage.test_quotas import left, subscribe, use
from usage.models import QuotaWindow
from usage.quotas import open_windows
from usage.services.quota_watch import watch_quotas
from usage.services.reservations import NotUsable, QuotaExhausted, release_reservation, reserve_quota

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(db: None) -> Project:
    return make_project(billing_email="bills@institute.example")


def again(ended: Subscription, **fields: Any) -> Subscription:
    """It ends; the same holder has another one from now on."""
    cancel_subscription(actor=SYSTEM, subscription=ended)
    values = {"organisation": ended.organisation, "user": ended.user, "plan": ended.plan} | fields
    return Subscription.objects.create(
        currency="THB", start_at=timezone.now(), status=SubscriptionStatus.ACTIVE, **values
    )


def test_what_was_used_before_counts_in_windows_that_are_open(project: Project) -> None:
    first = subscribe(project, {"requests/day": 10, "tokens/month": 1000, "requests/total": 20})
    use(project, first, 4, request_tokens=100)
    second = again(first)
    assert left(second) == {"requests/day": 6, "tokens/month": 600, "requests/total": 16}
    use(project, second, 3)
    third = again(second)
    assert left(third) == {"requests/day": 3, "tokens/month": 600, "requests/total": 13}
    with pytest.raises(QuotaExhausted) as error:
        reserve_quota(subscription=third, amounts={"requests": Decimal(4)})
    assert error.value.details["used"] == "7"
    reserve_quota(subscription=third, amounts={"requests": Decimal(3)})


def test_another_plan_of_the_same_model_is_no_way_around_and_of_another_one_is_another_thing(project: Project) -> None:
    gpt, other = (AiModel.objects.create(id=name, name=name) for name in ("gpt", "other"))
    first = subscribe(project, {"requests/day": 5}, ai_model=gpt)
    use(project, first, 5)
    plans = []
    for model in (gpt, other):
        plan = Plan.objects.create(code=f"big-{model.pk}", name="Big", ai_model=model)
        PlanLimit.objects.create(plan=plan, metric="requests", window="day", limit=8)
        plans.append(plan)
    second = again(first, plan=plans[0])
    assert left(second) == {"requests/day": 3}
    assert left(again(second, plan=plans[1])) == {"requests/day": 8}


def test_nobody_carries_what_somebody_else_has_used(project: Project, alice: Any, bob: Any) -> None:
    first = subscribe(project, {"requests/day": 5}, organisation=None, user=alice)
    use(project, first, 5)
    assert left(again(first, user=bob)) == {"requests/day": 5}
    within = Subscription.objects.create(
        plan=first.plan, user=alice, organisation=project.organisation, currency="THB", start_at=timezone.now(),
        status=SubscriptionStatus.ACTIVE,
    )  # fmt: skip
    assert left(within) == {"requests/day": 5}, "within an organisation it is another contract"


def limited(code: str, number: int, **fields: Any) -> Plan:
    plan = Plan.objects.create(code=code, name=code, **fields)
    PlanLimit.objects.create(plan=plan, metric="requests", window="month", limit=number)
    return plan


def change(row: Subscription, plan: Plan) -> None:
    Subscription.objects.filter(pk=row.pk).update(plan=plan, plan_since=timezone.now())
    row.refresh_from_db()


def test_neither_is_a_change_of_plans_before_the_end(project: Project) -> None:
    gpt, other = (AiModel.objects.create(id=name, name=name) for name in ("gpt", "other"))
    wanted, away = limited("wanted", 5, ai_model=gpt), limited("away", 5, ai_model=other)
    row = subscribe(project, {"requests/month": 5}, ai_model=gpt)
    change(row, wanted)
    assert left(row) == {"requests/month": 5}
    use(project, row, 5)
    change(row, away)
    assert left(again(row, plan=wanted)) == {"requests/month": 0}


def test_nor_one_that_was_there_before_and_changes_into_it(project: Project) -> None:
    wanted = limited("wanted", 5)
    older = subscribe(project, {"requests/month": 7})
    assert left(older) == {"requests/month": 7}
    first = Subscription.objects.create(
        plan=wanted, organisation=project.organisation, currency="THB", start_at=timezone.now(),
        status=SubscriptionStatus.ACTIVE,
    )  # fmt: skip
    assert left(first) == {"requests/month": 5}
    use(project, first, 5)
    cancel_subscription(actor=SYSTEM, subscription=first)
    change(older, wanted)
    assert left(older) == {"requests/month": 0}


def test_nor_where_the_other_plan_has_the_same_limit(project: Project) -> None:
    first = subscribe(project, {"requests/month": 5})
    older = subscribe(project, {"requests/month": 5})
    assert left(older) == {"requests/month": 5}
    use(project, first, 5)
    cancel_subscription(actor=SYSTEM, subscription=first)
    change(older, first.plan)
    assert left(older) == {"requests/month": 0}


def test_what_calls_under_way_hold_is_held_from_the_next_one_too(project: Project) -> None:
    first = subscribe(project, {"requests/day": 5})
    reserve_quota(subscription=first, amounts={"requests": Decimal(3)})
    assert left(again(first)) == {"requests/day": 2}


def test_nor_does_it_go_with_a_change_of_plans_before_the_end(project: Project) -> None:
    gpt, other = (AiModel.objects.create(id=name, name=name) for name in ("gpt", "other"))
    row = subscribe(project, {"requests/month": 5}, ai_model=gpt)
    wanted = row.plan
    reserve_quota(subscription=row, amounts={"requests": Decimal(5)})
    change(row, limited("away", 5, ai_model=other))
    assert left(again(row, plan=wanted)) == {"requests/month": 0}


def test_what_is_only_held_warns_nobody_and_suspends_nothing(project: Project, mailoutbox: list[Any]) -> None:
    first = subscribe(project, {"requests/month": 5})
    held = reserve_quota(subscription=first, amounts={"requests": Decimal(5)})
    second = again(first)
    assert (left(second), watch_quotas(actor=SYSTEM).suspended) == ({"requests/month": 0}, 0)
    with pytest.raises(QuotaExhausted) as error:
        reserve_quota(subscription=second, amounts={"requests": Decimal(1)})
    assert (error.value.details["used"], error.value.details["held"]) == ("0", "5")
    release_reservation(subscription=first, uuid=held.uuid)
    watch_quotas(actor=SYSTEM)
    second.refresh_from_db()
    assert (second.status, left(second)) == (SubscriptionStatus.ACTIVE, {"requests/month": 5})
    reserve_quota(subscription=second, amounts={"requests": Decimal(5)})


def test_a_call_that_came_before_the_end_sets_nothing_aside_after_it(project: Project) -> None:
    first = subscribe(project, {"requests/month": 5})
    as_loaded = Subscription.objects.select_related("organisation").get(pk=first.pk)
    second = again(first)
    reserve_quota(subscription=second, amounts={"requests": Decimal(5)})
    with pytest.raises(NotUsable):
        reserve_quota(subscription=as_loaded, amounts={"requests": Decimal(5)})
    assert sum(QuotaWindow.objects.values_list("held", flat=True)) == 5


def test_the_view_of_gateways_leaves_as_much(project: Project) -> None:
    first = subscribe(project, {"requests/month": 10})
    use(project, first, 6)
    reserve_quota(subscription=first, amounts={"requests": Decimal(1)})
    second = again(first)
    assert left(second) == {"requests/month": 3}
    with connection.cursor() as cursor:
        cursor.execute("SELECT remaining_requests FROM active_subscriptions WHERE id = %s", [second.pk])
        assert cursor.fetchone()[0] == 3


def test_what_ends_where_a_window_begins_and_is_found_later_counts(project: Project) -> None:
    """A period ends with its month; until the hourly run has said so, calls go on."""
    zone = ZoneInfo("Asia/Bangkok")
    first = subscribe(project, {"requests/month": 5})
    with time_machine.travel(datetime(2027, 2, 1, 0, 10, tzinfo=zone), tick=False):
        use(project, first, 5)
        second = again(first)
        Subscription.objects.filter(pk=first.pk).update(end_at=datetime(2027, 2, 1, tzinfo=zone))
        assert left(second) == {"requests/month": 0}


def test_a_dry_run_of_the_watch_writes_nothing(project: Project) -> None:
    subscribe(project, {"requests/day": 5})
    assert watch_quotas(actor=SYSTEM, dry_run=True).subscriptions == 1
    assert not QuotaWindow.objects.exists()


def test_one_that_runs_beside_it_is_counted_by_itself(project: Project) -> None:
    first = subscribe(project, {"requests/day": 5})
    use(project, first, 5)
    beside = Subscription.objects.create(
        plan=Plan.objects.create(code="beside", name="Beside"), organisation=project.organisation, currency="THB",
        start_at=timezone.now(), status=SubscriptionStatus.ACTIVE,
    )  # fmt: skip
    PlanLimit.objects.create(plan=beside.plan, metric="requests", window="day", limit=3)
    assert left(beside) == {"requests/day": 3}
    cancel_subscription(actor=SYSTEM, subscription=first)
    assert (watch_quotas(actor=SYSTEM).suspended, left(beside)) == (0, {"requests/day": 3}), "nor when the other ends"
    Subscription.objects.filter(pk=beside.pk).update(billing_cycle="yearly")
    assert left(beside) == {"requests/day": 3}


def test_what_is_told_late_of_the_former_one_is_found_by_the_watch(project: Project) -> None:
    first = subscribe(project, {"requests/day": 4})
    second = again(first)
    assert left(second) == {"requests/day": 4}
    use(project, first, 4)
    done = watch_quotas(actor=SYSTEM)
    assert (done.suspended, left(second)) == (1, {"requests/day": 0})
    second.refresh_from_db()
    assert second.suspended_for == "quota"


def test_whose_holder_had_none_before_asks_for_nothing_more(project: Project) -> None:
    mine = subscribe(project, {"requests/day": 4})
    with CaptureQueriesContext(connection) as asked:
        open_windows([mine], timezone.now())
    assert [each for each in asked if "JOIN plans p" in each["sql"]] == []
    assert QuotaWindow.objects.get().carried == 0
