"""Cost against a sum of money: what receipts say, and for the other jobs what they would cost now."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Organisation, Project
from billing.models import Receipt
from billing.selectors.jobs.usage import UsageFilter, totals
from billing.services.receipts import create_receipts
from core.context import Actor
from tests.billing.invoicing import exchange, make_customer, price
from tests.factories import account_tier, make_job
from tests.usage.events import row
from usage.events.rows import Batch
from usage.events.store import open_store
from usage.models import AlertHistory
from usage.services.alert_rules import create_rule
from usage.services.alert_runs import evaluate

pytestmark = pytest.mark.django_db
FIN = Actor("fin")
NOON = datetime(2027, 11, 20, 5, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def cost_rule(limit: str, **fields: Any) -> Any:
    values = {"name": "Budget", "alert_type": "cost_threshold", "threshold_value": Decimal(limit),
              "cooldown_minutes": 0, "recipient_email": "a@b.example"}  # fmt: skip
    return create_rule(actor=FIN, **{**values, **fields})


def test_a_budget_counts_what_is_billed_and_what_is_not_yet(alice: Any) -> None:
    account_tier("physics", "mu")
    make_job(end_at=datetime(2027, 11, 2, tzinfo=UTC))
    create_receipts(actor=Actor("alice"), username="alice")
    make_job(end_at=datetime(2027, 11, 19, tzinfo=UTC))
    make_job(end_at=datetime(2027, 11, 19, tzinfo=UTC), state="NODE_FAIL")
    make_job(end_at=datetime(2027, 10, 31, 16, 59, tzinfo=UTC))  # the last minute of October in Bangkok
    make_job(end_at=datetime(2027, 11, 19, tzinfo=UTC), username="bob")
    assert Receipt.objects.get().total == 8
    cost_rule("16.01", username="alice")
    assert evaluate()["raised"] == 0
    cost_rule("16", username="alice")
    assert evaluate()["raised"] == 1
    row = AlertHistory.objects.get()
    assert (row.actual_value, row.threshold_value, row.unit) == (16, 16, "THB")
    now = UsageFilter("alice", start=datetime(2027, 11, 1).date(), end=datetime(2027, 11, 30).date())  # noqa: DTZ001
    assert totals(now).cost == row.actual_value


def test_the_cost_of_a_project_is_that_of_its_accounts(alice: Any, bob: Any) -> None:
    organisation = Organisation.objects.create(name="Science")
    project = Project.objects.create(organisation=organisation, name="Low temperature")
    project.accounts.create(account="physics")
    other = Project.objects.create(organisation=organisation, name="Pressure")
    other.accounts.create(account="pressure")
    for account in ("physics", "pressure"):
        account_tier(account, "mu")
    for username in ("alice", "bob", "gone"):
        make_job(username=username, end_at=datetime(2027, 11, 19, tzinfo=UTC))
    make_job(account="pressure", end_at=datetime(2027, 11, 19, tzinfo=UTC))
    make_job(account="elsewhere", end_at=datetime(2027, 11, 19, tzinfo=UTC))
    cost_rule("1", organisation=organisation, project=project)
    cost_rule("1", organisation=organisation)
    assert evaluate()["raised"] == 2
    assert list(AlertHistory.objects.order_by("alert_rule_id").values_list("actual_value", flat=True)) == [24, 32]


def test_without_jobs_the_cost_is_nothing() -> None:
    cost_rule("1", username="alice", threshold_operator="lt", comparison_period="day")
    assert evaluate()["raised"] == 1
    assert AlertHistory.objects.get().actual_value == 0


def test_the_day_of_an_organisation_is_that_of_its_zone() -> None:
    organisation = Organisation.objects.create(name="Science", time_zone="America/New_York")
    project = Project.objects.create(organisation=organisation, name="p")
    project.accounts.create(account="physics")
    account_tier("physics", "mu")
    make_job(end_at=datetime(2027, 11, 20, 4, 59, tzinfo=UTC))  # yesterday in New York
    make_job(end_at=datetime(2027, 11, 20, 5, 0, tzinfo=UTC))
    cost_rule("8", organisation=organisation, comparison_period="day")
    with time_machine.travel(datetime(2027, 11, 20, 6, tzinfo=UTC), tick=False):
        assert evaluate()["raised"] == 1
    assert AlertHistory.objects.get().actual_value == 8


# --- metered usage ----------------------------------------------------------------------
def usage_price(per_unit: str | None, **fields: Any) -> None:
    steps = [(100, "1"), (None, "0.5")] if per_unit is None else ()
    price(per_unit=per_unit, steps=steps, **fields)


def metered(project: Project, value: str, when: datetime, **fields: Any) -> None:
    rows = [row(project, timestamp=when, metric_value=Decimal(value), **fields)]
    assert set(open_store().add(Batch(rows, []))) == {"accepted"}


def test_cost_of_metered_usage_is_what_its_prices_make_of_it(alice: Any) -> None:
    project = make_customer(account="")
    usage_price(None, charge_model="graduated")
    metered(project, "90", datetime(2027, 11, 2, tzinfo=UTC))
    metered(project, "30", datetime(2027, 11, 20, 3, tzinfo=UTC))
    metered(project, "999", datetime(2027, 10, 31, 16, 59, tzinfo=UTC))  # October in Bangkok
    month = cost_rule("110", organisation=project.organisation, comparison_period="month")  # 100 x 1 + 20 x 0.50
    day = cost_rule("30", organisation=project.organisation, comparison_period="day", name="day")  # steps begin anew
    cost_rule("110.01", organisation=project.organisation, comparison_period="month", name="more")
    assert evaluate()["raised"] == 2
    raised = {each.alert_rule_id: each.actual_value for each in AlertHistory.objects.all()}
    assert raised == {month.pk: 110, day.pk: 30}


def test_jobs_and_usage_count_together_and_one_project_alone(alice: Any) -> None:
    account_tier("inst", "mu")
    one, two = make_customer(account="inst"), make_customer(account="", project="other")
    usage_price("2")
    make_job(account="inst", end_at=datetime(2027, 11, 19, tzinfo=UTC))
    for project in (one, two):
        metered(project, "5", datetime(2027, 11, 19, tzinfo=UTC))
    whole = cost_rule("28", organisation=one.organisation)  # 8 + 10 + 10
    alone = cost_rule("10", organisation=one.organisation, project=two, name="two")
    assert evaluate()["raised"] == 2
    raised = {each.alert_rule_id: each.actual_value for each in AlertHistory.objects.all()}
    assert raised == {whole.pk: 28, alone.pk: 10}


def test_what_has_no_price_costs_nothing_and_is_named(alice: Any) -> None:
    project = make_customer(account="")
    usage_price("2")
    metered(project, "5", datetime(2027, 11, 19, tzinfo=UTC))
    metered(project, "5", datetime(2027, 11, 19, tzinfo=UTC), metric_name="storage")
    cost_rule("10", organisation=project.organisation)
    evaluate()
    raised = AlertHistory.objects.get()
    assert (raised.actual_value, raised.metadata["unpriced"]) == (10, ["storage"])


def test_other_currencies_count_in_the_sites(alice: Any) -> None:
    project = make_customer(account="", currency="JPY")
    usage_price("150", currency="JPY")
    exchange("THB", "JPY", "4")
    metered(project, "2", datetime(2027, 11, 19, tzinfo=UTC))
    cost_rule("75", organisation=project.organisation)  # 300 / 4
    evaluate()
    assert AlertHistory.objects.get().actual_value == 75


def test_the_statements_do_not_grow_with_the_rules(alice: Any) -> None:
    usage_price("2")
    counts = []
    for number in (1, 6):
        for place in range(number):
            project = make_customer(f"o{number}-{place}", account="")
            metered(project, "5", datetime(2027, 11, 19, tzinfo=UTC))
            cost_rule("1000", organisation=project.organisation, name=f"r{number}-{place}")
        with CaptureQueriesContext(connection) as captured:
            evaluate()
        counts.append(len(captured))
    assert counts[0] == counts[1]
