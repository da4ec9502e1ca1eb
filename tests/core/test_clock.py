"""What time it is: the clock's for organisations that have one, the real one for everybody else."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import time_machine

from accounts.models import Organisation, TestClock
from core.clock import day_is_over, now_for, of_tests, real, today_for

pytestmark = pytest.mark.django_db
REAL = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
FROZEN = datetime(2027, 1, 31, 18, 0, tzinfo=UTC)  # 1 February in Bangkok


@pytest.fixture
def clocked() -> Organisation:
    clock = TestClock.objects.create(name="a", frozen_time=FROZEN, created_by="fin")
    return Organisation.objects.create(name="Trial run", test_clock=clock)


@time_machine.travel(REAL, tick=False)
def test_only_who_has_a_clock_lives_by_it(clocked: Organisation) -> None:
    plain = Organisation.objects.create(name="Lab")
    assert (now_for(clocked), today_for(clocked)) == (FROZEN, date(2027, 2, 1))
    assert now_for(plain) == now_for(None) == REAL
    assert today_for(plain) == date(2026, 11, 27)


def test_a_clock_that_moved_is_read_anew(clocked: Organisation) -> None:
    later = datetime(2027, 3, 1, tzinfo=UTC)
    TestClock.objects.update(frozen_time=later)
    assert now_for(clocked) == later


def test_rows_of_clocks_are_told_from_real_ones(clocked: Organisation) -> None:
    plain = Organisation.objects.create(name="Lab")
    rows = Organisation.objects.filter(pk__in=[plain.pk, clocked.pk])
    assert list(real(rows, "")) == [plain]
    assert list(of_tests(rows, "")) == [clocked]


@time_machine.travel(REAL, tick=False)
def test_a_day_is_over_by_the_time_of_each(clocked: Organisation, alice: object) -> None:
    from billing.models import Invoice

    plain = Organisation.objects.create(name="Lab")
    days = {"before": date(2026, 11, 26), "between": date(2027, 1, 31), "clock's today": date(2027, 2, 1)}
    for month, day in enumerate(days.values(), 1):
        for each in (plain, clocked):
            Invoice.objects.create(
                organisation=each, month=month, year=2026, currency="THB", due_date=day, created_by="fin"
            )
    over = Invoice.objects.filter(day_is_over("due_date", today_for(None)))
    assert list(over.filter(organisation=plain).values_list("month", flat=True)) == [1]
    assert sorted(over.filter(organisation=clocked).values_list("month", flat=True)) == [1, 2]
