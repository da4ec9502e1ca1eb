"""Rules that watch usage: what each kind and operator hears, when it is quiet, and who is told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import Raw

from accounts.models import (
    EmailNotification,
    Organisation,
    Project,
)
from tests.factories import make_job
from tests.races import at_once
from tests.usage.alerts.conftest import FIN, NOON, local, raised, rule, usage
from usage.alerts.measures import SLURM_METRICS, Ask, measure
from usage.alerts.patterns import bounds, known
from usage.alerts.windows import window_of
from usage.events.checking import Sender
from usage.events.schema import Event
from usage.models import AlertHistory, AlertPeriod, AlertRule, UsageAggregate
from usage.services.alert_rules import switch_rule
from usage.services.alert_runs import evaluate
from usage.services.events import take_events

pytestmark = pytest.mark.django_db


# --- thresholds --------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "below", "equal", "above"),
    [
        ("gt", False, False, True), ("gte", False, True, True), ("lt", True, False, False), ("lte", True, True, False),
        ("eq", False, True, False),
    ],
)  # fmt: skip
def test_each_operator_hears_what_it_says(
    project: Project, operator: str, below: bool, equal: bool, above: bool
) -> None:
    """More is said of the running month, less and equal of the last complete one."""
    rising = operator in ("gt", "gte")
    start = local("2026-11-01T00:00") if rising else local("2026-10-01T00:00")
    watching = rule(project.organisation, threshold_operator=operator)
    row = usage(project, "99.999999999", start)
    for value, wanted in (("99.999999999", below), ("100", equal), ("100.000000001", above)):
        UsageAggregate.objects.filter(pk=row.pk).update(total_value=Decimal(value))
        AlertHistory.objects.all().delete()
        assert raised() == wanted, value
        if wanted:
            found = AlertHistory.objects.get()
            assert (found.alert_rule, found.actual_value, found.threshold_value) == (watching, Decimal(value), 100)
            assert found.period_start == start


def test_no_usage_at_all_counts_as_nothing(project: Project) -> None:
    rule(project.organisation, threshold_operator="lt", threshold_value=Decimal(1), comparison_period="day")
    rule(project.organisation, threshold_operator="gte")
    assert raised() == 1
    row = AlertHistory.objects.get()
    assert row.actual_value == 0
    assert (row.period_start, row.period_end) == (local("2026-11-19T00:00"), local("2026-11-20T00:00"))


@pytest.mark.parametrize(
    ("period", "inside", "outside"),
    [
        ("hour", [("hour", "2026-11-20T12:00")], [("hour", "2026-11-20T11:00"), ("day", "2026-11-20T00:00")]),
        ("day", [("day", "2026-11-20T00:00")], [("day", "2026-11-19T00:00"), ("hour", "2026-11-20T00:00")]),
        (
            "week", [("day", "2026-11-16T00:00"), ("day", "2026-11-20T00:00")],
            [("day", "2026-11-15T00:00"), ("month", "2026-11-01T00:00")],
        ),
        ("month", [("month", "2026-11-01T00:00")], [("month", "2026-10-01T00:00"), ("day", "2026-11-02T00:00")]),
    ],
)  # fmt: skip
def test_the_sums_of_the_window_are_read_and_no_others(
    project: Project, period: str, inside: list[Any], outside: list[Any]
) -> None:
    for kind, start in inside:
        usage(project, "7.5", local(start), kind)
        usage(project, "0.5", local(start), kind, slot=3)
    for kind, start in outside:
        usage(project, "1000", local(start), kind)
    rule(project.organisation, comparison_period=period, threshold_value=Decimal(1))
    assert raised() == 1
    assert AlertHistory.objects.get().actual_value == 8 * len(inside)


def test_a_rule_sees_its_own_organisation_project_metric_and_unit_only(project: Project) -> None:
    start = local("2026-11-01T00:00")
    other = Project.objects.create(organisation=project.organisation, name="Pressure")
    stranger = Project.objects.create(organisation=Organisation.objects.create(name="Arts"), name="Paint")
    usage(project, "1", start, unit="k")
    usage(project, "2", start)
    usage(other, "4", start)
    usage(stranger, "8", start)
    usage(project, "16", start, metric="calls")
    for values in ({}, {"project": project}, {"unit": "k"}, {"metric_name": "calls"}, {"metric_name": "nothing"}):
        rule(project.organisation, threshold_operator="gte", threshold_value=Decimal(0), **values)
    evaluate()
    figures = AlertHistory.objects.order_by("alert_rule_id").values_list("actual_value", flat=True)
    assert list(figures) == [7, 3, 1, 16, 0]


def test_the_window_is_that_of_the_organisations_zone() -> None:
    """At noon UTC+7 it is midnight in New York: a new day has begun there, an old one still runs in Honolulu."""
    for name, zone, start in (
        ("York", "America/New_York", local("2026-11-20T00:00", "-05:00")),
        ("Hawaii", "Pacific/Honolulu", local("2026-11-19T00:00", "-10:00")),
        ("Delhi", "Asia/Kolkata", local("2026-11-20T00:00", "+05:30")),
    ):
        organisation = Organisation.objects.create(name=name, time_zone=zone, billing_email="a@b.example")
        mine = Project.objects.create(organisation=organisation, name="p")
        usage(mine, "100", start, "day")
        usage(mine, "5", start - timedelta(days=1), "day")
        rule(organisation, comparison_period="day")
    assert raised() == 3
    assert {row.metadata["zone"] for row in AlertHistory.objects.all()} == {
        "America/New_York", "Pacific/Honolulu", "Asia/Kolkata",
    }  # fmt: skip


def test_figures_stay_exact_however_large(project: Project) -> None:
    usage(project, "1234567890123456789012345678901.123456789", local("2026-11-01T00:00"))
    usage(project, "0.000000001", local("2026-11-01T00:00"), slot=1)
    limit = Decimal("1234567890123456789012345678901.123456790")
    rule(project.organisation, threshold_operator="gte", threshold_value=limit)
    assert raised() == 1
    assert AlertHistory.objects.get().actual_value == limit


# --- Slurm -------------------------------------------------------------------


def test_jobs_of_a_slurm_user_are_measured_by_their_end() -> None:
    hours = {"cpus": 4, "gpus": 2, "mem_mib": 1536, "elapsed_seconds": 5400}
    make_job(end_at=local("2026-11-20T00:00"), **hours)
    make_job(end_at=local("2026-11-20T11:59"), **hours)
    make_job(end_at=local("2026-11-19T23:59"), **hours)
    make_job(end_at=local("2026-11-20T03:00"), username="bob", **hours)
    for metric in SLURM_METRICS:
        rule(username="Alice", metric_name=metric, comparison_period="day", threshold_value=Decimal(1))
    assert raised() == 4
    figures = dict(AlertHistory.objects.values_list("metric_name", "actual_value"))
    assert figures == {"cpu_hours": 12, "gpu_hours": 6, "mem_gb_hours": Decimal("4.5"), "jobs": 2}
    assert set(AlertHistory.objects.values_list("username", flat=True)) == {"alice"}


def test_a_project_means_its_slurm_accounts_and_an_organisation_all_of_them(project: Project) -> None:
    other = Project.objects.create(organisation=project.organisation, name="Pressure")
    for owner, accounts in ((project, ("physics", "chem")), (other, ("pressure",))):
        for account in accounts:
            owner.accounts.create(account=account)
    for account in ("physics", "chem", "pressure", "elsewhere"):
        make_job(account=account, end_at=NOON - timedelta(hours=1), username="anybody")
    rule(project.organisation, project=project, metric_name="jobs", threshold_value=Decimal(1))
    rule(project.organisation, metric_name="jobs", threshold_value=Decimal(1))
    evaluate()
    assert list(AlertHistory.objects.order_by("alert_rule_id").values_list("actual_value", flat=True)) == [2, 3]


# --- spikes ------------------------------------------------------------------


def spike(organisation: Organisation, **fields: Any) -> AlertRule:
    values = {"alert_type": "usage_spike", "threshold_value": None, "comparison_period": "day",
              "spike_threshold_percent": Decimal(50), "spike_comparison_period": "day"}  # fmt: skip
    return rule(organisation, **{**values, **fields})


@pytest.mark.parametrize(("today", "speaks"), [("149.999999999", False), ("150", True), ("151", True)])
def test_a_rise_against_the_day_before(project: Project, today: str, speaks: bool) -> None:
    usage(project, "100", local("2026-11-19T00:00"), "day")
    usage(project, today, local("2026-11-20T00:00"), "day")
    spike(project.organisation)
    assert raised() == speaks
    if speaks:
        row = AlertHistory.objects.get()
        assert (row.threshold_value, row.metadata["usual"]) == (150, "100")


def test_a_rise_of_a_day_against_the_average_day_of_the_week_before(project: Project) -> None:
    for day in range(9, 16):  # Monday to Sunday
        usage(project, "70", local(f"2026-11-{day:02d}T00:00"), "day")
    usage(project, "9999", local("2026-11-17T00:00"), "day")  # this week is not compared with
    usage(project, "105", local("2026-11-20T00:00"), "day")
    spike(project.organisation, spike_comparison_period="week")
    assert raised() == 1
    row = AlertHistory.objects.get()
    assert row.metadata["usual"] == "70"
    assert row.metadata["rise_percent"] == "50"
    assert row.metadata["compared_start"] == "2026-11-08T17:00:00+00:00"


def test_after_nothing_only_a_floor_speaks_and_below_a_floor_nothing_does(project: Project) -> None:
    usage(project, "40", local("2026-11-20T00:00"), "day")
    spike(project.organisation)
    assert raised() == 0, "nothing has no percentage"
    spike(project.organisation, threshold_value=Decimal(40))
    assert raised() == 1
    spike(project.organisation, threshold_value=Decimal(41))
    assert raised() == 0
    usage(project, "10", local("2026-11-19T00:00"), "day")
    assert raised() == 1, "the one without a floor, for there is a usual now"


# --- unusual patterns --------------------------------------------------------


def pattern(organisation: Organisation, **fields: Any) -> AlertRule:
    values = {"alert_type": "unusual_pattern", "threshold_value": None, "comparison_period": "day"}
    return rule(organisation, **{**values, **fields})


def fridays(project: Project, *values: str) -> None:
    """Usage of today and of the Fridays before, the latest first."""
    for number, value in enumerate(values):
        if value:
            usage(project, value, local("2026-11-20T00:00") - timedelta(weeks=number), "day")


def test_mean_and_three_deviations_as_worked_out_by_hand() -> None:
    # 10, 12, 14, 16: mean 13, squares 9 + 1 + 1 + 9 = 20, of a sample 20 / 3, deviation 2.581988897
    assert bounds([Decimal(10), Decimal(12), Decimal(14), Decimal(16)]) == (13, Decimal("20.745966692"))
    assert known([Decimal(1), Decimal(0), Decimal(2), Decimal(0), Decimal(0)]) == [1, 0, 2]


@pytest.mark.parametrize(("today", "speaks"), [("20.745966692", False), ("20.745966693", True)])
def test_more_than_the_same_days_before_made_likely(project: Project, today: str, speaks: bool) -> None:
    fridays(project, today, "10", "12", "14", "16")
    usage(project, "9999", local("2026-11-19T00:00"), "day")  # a Thursday says nothing of Fridays
    pattern(project.organisation)
    assert raised() == speaks


def test_with_fewer_than_four_windows_nothing_is_said(project: Project) -> None:
    fridays(project, "1000", "10", "12", "14")
    pattern(project.organisation)
    assert raised() == 0


def test_a_window_without_usage_since_the_first_counts_as_nothing(project: Project) -> None:
    fridays(project, "1000", "10", "", "14", "16", "10")
    pattern(project.organisation)
    assert raised() == 1
    assert AlertHistory.objects.get().metadata == {
        "operator": "gte", "zone": "Asia/Bangkok", "windows": 5, "mean": "10",
    }  # fmt: skip


# --- again and again ---------------------------------------------------------


def test_without_a_cooldown_a_rule_speaks_once_a_window(project: Project, clock: Any) -> None:
    usage(project, "100", local("2026-11-20T00:00"), "day")
    usage(project, "100", local("2026-11-21T00:00"), "day")
    rule(project.organisation, comparison_period="day")
    assert [raised(), raised()] == [1, 0]
    clock.shift(timedelta(hours=11, minutes=59))
    assert raised() == 0
    clock.shift(timedelta(minutes=1))
    assert raised() == 1
    assert evaluate()["quiet"] == 1


def test_with_a_cooldown_it_is_quiet_for_so_long_and_then_speaks_again(project: Project, clock: Any) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    rule(project.organisation, cooldown_minutes=90)
    assert raised() == 1
    clock.shift(timedelta(minutes=89))
    assert raised() == 0
    clock.shift(timedelta(minutes=1))
    assert raised() == 1
    assert AlertHistory.objects.values("period_start").distinct().count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_runs_at_the_same_moment_one_tells(project: Project) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    for cooldown in (0, 60):
        rule(project.organisation, cooldown_minutes=cooldown)
    counts = at_once(8, lambda _index: evaluate())
    assert sum(count["raised"] for count in counts) == 2
    assert AlertHistory.objects.count() == EmailNotification.objects.count() == 2


def test_the_number_of_statements_does_not_grow_with_rules_and_customers(project: Project) -> None:
    def world(number: int) -> None:
        for _each in range(number):
            organisation = Organisation.objects.create(name=f"O{Organisation.objects.count()}")
            mine = Project.objects.create(organisation=organisation, name="p")
            mine.accounts.create(account=f"a{mine.pk}")
            make_job(account=f"a{mine.pk}", end_at=NOON - timedelta(hours=1))
            usage(mine, "5", local("2026-11-01T00:00"))
            rule(organisation)
            rule(organisation, metric_name="jobs")
            spike(organisation)
            pattern(organisation)
            rule(organisation, alert_type="cost_threshold", metric_name="", threshold_value=Decimal(10**6))
            rule(username=f"user{mine.pk}", metric_name="cpu_hours", threshold_value=Decimal(10**6))

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert evaluate()["raised"] == 0
        return len(queries)

    world(2)
    few = statements()
    world(25)
    assert statements() == few
    assert few < 25


def test_rules_that_are_off_or_whose_organisation_is_rest(project: Project) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    watching = rule(project.organisation)
    switch_rule(actor=FIN, rule=watching, on=False)
    assert evaluate()["rules"] == 0
    switch_rule(actor=FIN, rule=watching, on=True)
    Organisation.objects.update(is_active=False)
    assert evaluate()["rules"] == 0


def test_a_kind_that_breaks_does_not_keep_the_others_from_being_looked_at(project: Project, settings: Any) -> None:
    usage(project, "100", local("2026-11-01T00:00"))
    rule(project.organisation)
    spike(project.organisation)
    settings.ALERT_EVALUATORS = {**settings.ALERT_EVALUATORS, "usage_spike": "tests.usage.alerts.test_kinds.broken"}
    counts = evaluate()
    assert (counts["raised"], counts["failed"]) == (1, 1)


def broken(rules: Any, moment: Any) -> Any:
    raise ZeroDivisionError


# --- from the event to the alert ---------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Bangkok", "Asia/Kolkata", "America/New_York", "America/St_Johns"])
@pytest.mark.parametrize("begin", ["2026-03-08T00:10", "2026-11-01T00:10", "2026-10-31T12:10"])
def test_events_as_they_are_taken_in_are_found_in_the_window_that_holds_them(zone: str, begin: str) -> None:
    """One event every 40 minutes over a day on which the clocks of New York change, or a month ends."""
    organisation = Organisation.objects.create(name="Science", time_zone=zone)
    project = Project.objects.create(organisation=organisation, name="p")
    moments = [local(begin, "+00:00") + timedelta(minutes=40 * number) for number in range(50)]
    items = [
        Event(
            metric_name="tokens", metric_value=Raw(b"0.5"), timestamp=moment, idempotency_key=str(moment)
        )
        for moment in moments
    ]  # fmt: skip
    taken = take_events(sender=Sender(project=project), items=items, now=moments[-1], any_age=True)
    assert taken.counts["accepted"] == 50
    watching = AlertRule(organisation=organisation, metric_name="tokens")
    windows = [window_of(period, moment, organisation.zone) for period in AlertPeriod.values for moment in moments]
    found = measure([Ask(watching, window) for window in windows])
    wanted = [Decimal("0.5") * sum(window.start <= moment < window.end for moment in moments) for window in windows]
    assert found == wanted
