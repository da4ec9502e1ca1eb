"""The console's front page: where things stand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Approval, Work
from billing.services.months import close_month
from billing.services.receipts import create_receipts, mark_paid
from core.context import SYSTEM, Actor
from core.periods import month_start, previous_month, today
from hpcbilling.models import PeriodicTask
from hpcbilling.pages import morning
from tests.factories import account_tier, make_job, make_run
from tests.pages.conftest import text
from usage.models import ImportRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_finance(client: Any, finance: Any) -> Any:
    client.force_login(finance)
    return client


def in_month(month: date) -> datetime:
    return datetime(month.year, month.month, 2, 5, tzinfo=UTC)


def test_what_is_not_billed_is_noted_with_its_moment(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    assert "Not billed yet" not in text(as_finance.get("/admin/")), "nothing was added up yet"
    call_command("note_figures")
    page = text(as_finance.get("/admin/"))
    assert "THB 8.00" in page
    assert "1 job as of" in page
    create_receipts(actor=SYSTEM, username="alice")
    assert morning.note()["cost"] == "0.00"
    assert morning.noted() is not None


def test_months_say_how_far_they_are(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    last = previous_month(month_start(today()))
    make_job(end_at=in_month(last))
    before = previous_month(last)
    close_month(actor=Actor("fin"), month=before)
    morning.note()
    noted = morning.noted()
    assert noted is not None
    assert [(each.month, each.is_closed, each.is_over, each.done) for each in noted.months] == [
        (month_start(today()), False, False, None), (last, False, True, 0), (before, True, True, None),
    ]  # fmt: skip
    create_receipts(actor=SYSTEM, username="alice")
    morning.note()
    assert "100 % of its cost is billed or free" in text(as_finance.get("/admin/"))


def test_what_was_paid_stands_on_its_day(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    make_job()
    (receipt,) = create_receipts(actor=SYSTEM, username="alice")
    when = timezone.now() - timedelta(days=3)
    mark_paid(actor=SYSTEM, receipt=receipt, method="manual", tx_ref="x", paid_at=when)
    _chart, days = morning.paid_by_day(timezone.now())
    assert days == [(timezone.localdate(when, timezone.get_default_timezone()), Decimal("8.00"))]
    response = as_finance.get("/admin/")
    assert "<title>Paid by day, last 30 days</title>" in response.content.decode()


@pytest.mark.parametrize(
    ("status", "words"), [("done", "intact"), ("failed", "broken: run verify_audit"), ("", "not verified yet")]
)
def test_the_audit_chain_is_what_its_last_verification_said(as_finance: Any, status: str, words: str) -> None:
    if status:
        PeriodicTask.objects.create(name="verify_audit", last_run_at=timezone.now(), last_status=status)
    assert words in text(as_finance.get("/admin/"))


def test_each_cluster_says_when_it_was_last_read(as_finance: Any) -> None:
    make_run()
    ImportRun.objects.update(cluster="alpha", status="done", data_until=timezone.now())
    assert "Usage of alpha up to date" in text(as_finance.get("/admin/"))
    ImportRun.objects.update(data_until=timezone.now() - timedelta(hours=27))
    assert "Usage of alpha late" in text(as_finance.get("/admin/"))


@pytest.mark.parametrize("name", ["import_usage", "import_usage alpha"])
@pytest.mark.parametrize("group", ["Finance", "Operator"])
def test_an_import_for_which_no_source_answered_is_seen(client: Any, make_user: Any, name: str, group: str) -> None:
    """It leaves no import run, and the runs before it would still look fresh."""
    make_run()
    ImportRun.objects.update(cluster="alpha", status="done", data_until=timezone.now())
    task = PeriodicTask.objects.create(name=name, last_run_at=timezone.now(), last_status="failed", last_error="No")
    client.force_login(make_user("somebody", role="admin", groups=[group]))
    response = client.get("/admin/")
    assert "Usage of alpha the last import failed" in text(response)
    assert "up to date" not in text(response)
    (found,) = [each for each in response.context["findings"] if each.what.startswith("periodic tasks")]
    assert found.number == 1
    assert [row.pk for row in client.get(found.url).context["cl"].result_list] == [task.pk]
    PeriodicTask.objects.update(last_status="done")
    assert "Usage of alpha up to date" in text(client.get("/admin/"))


@pytest.mark.parametrize("name", ["import_usage", "import_usage alpha"])
def test_a_good_import_by_hand_ends_what_failed_before_it(as_finance: Any, name: str) -> None:
    """The task itself still says that it failed, until its next run."""
    now = timezone.now()
    run = make_run()
    PeriodicTask.objects.create(name=name, last_run_at=now - timedelta(minutes=20), last_status="failed")
    ImportRun.objects.create(cluster="alpha", source="slurmrestd", actor="timer", status="failed",
                             finished_at=now - timedelta(minutes=21))  # fmt: skip

    def word(**changes: Any) -> str:
        ImportRun.objects.filter(pk=run.pk).update(**changes)
        return next((each.word for each in morning.imports({name: PeriodicTask.objects.get()})), "")

    before, after = now - timedelta(minutes=30), now - timedelta(minutes=10)
    assert word(cluster="alpha", data_until=now, finished_at=before) == "the last import failed"
    assert word(finished_at=after) == "up to date"
    assert "Usage of alpha up to date" in text(as_finance.get("/admin/"))
    assert word(source="quarantine") == "", "a row that was released is no import"


@pytest.mark.parametrize("name", ["import_usage", "import_usage alpha"])
def test_an_import_by_hand_that_failed_is_seen_too(as_finance: Any, name: str) -> None:
    now = timezone.now()
    make_run()
    ImportRun.objects.update(cluster="alpha", data_until=now, finished_at=now - timedelta(minutes=20))
    PeriodicTask.objects.create(name=name, last_run_at=now - timedelta(minutes=20), last_status="done")
    failed = ImportRun.objects.create(
        cluster="alpha", source="slurmrestd", actor="opr", status="failed", finished_at=now
    )
    assert "Usage of alpha the last import failed" in text(as_finance.get("/admin/"))
    ImportRun.objects.filter(pk=failed.pk).update(cluster="beta")
    assert "Usage of alpha up to date" in text(as_finance.get("/admin/")), "another cluster's failure is not its own"


def test_what_is_not_billed_is_counted_and_listed_as_the_same_jobs(as_finance: Any, alice: Any) -> None:
    """Its money is that of billable jobs: free, running, held and empty ones are not among those it links to."""
    account_tier("physics", "mu")
    billable = make_job()
    for other in ({"state": "NODE_FAIL"}, {"state": "RUNNING", "end_at": None}, {"hold": "runaway"},
                  {"elapsed_seconds": 0}):  # fmt: skip
        make_job(**other)
    settled = make_job(username="bob", claimed_by="receipt:9")
    morning.note()
    context = as_finance.get("/admin/").context
    assert (context["noted"].jobs, context["noted"].cost) == (1, Decimal("8.00"))
    assert [job.pk for job in as_finance.get(context["unbilled_url"]).context["cl"].result_list] == [billable.pk]
    billed = as_finance.get("/admin/usage/job/", {"billing": "billed"})
    assert [job.pk for job in billed.context["cl"].result_list] == [settled.pk]


def test_long_work_and_own_requests_stand_there_while_they_last(as_finance: Any, make_user: Any) -> None:
    assert "under way" not in text(as_finance.get("/admin/"))
    mine = {"owner_id": "fin", "kind": "export", "title": "t"}
    Work.objects.create(**mine, status="running")
    Work.objects.create(**mine, status="failed", finished_at=timezone.now())
    Approval.objects.create(act="refund", target=1, label="x", amount=1, currency="THB", asked_by="fin")
    page = text(as_finance.get("/admin/"))
    for words in ("1 running, 0 waiting", "Works of yours failed, 7 days", "1 act that you asked for"):
        assert words in page
    as_finance.force_login(make_user("opr", role="admin", groups=["Operator"]))
    page = text(as_finance.get("/admin/"))
    for words in ("running, 0 waiting", "Works of yours failed", "that you asked for"):
        assert words not in page


def test_links_lead_to_what_the_figures_count(as_finance: Any, alice: Any) -> None:
    account_tier("physics", "mu")
    for days in (3, 40):
        make_job()
        (receipt,) = create_receipts(actor=SYSTEM, username="alice")
        when = timezone.now() - timedelta(days=days)
        mark_paid(actor=SYSTEM, receipt=receipt, method="manual", tx_ref="x", paid_at=when)
    context = as_finance.get("/admin/").context
    assert context["paid"]["count"] == 1
    assert as_finance.get(context["paid_url"]).context["cl"].result_count == 1
    assert as_finance.get(context["refunds_url"]).status_code == 200


def test_people_see_only_what_they_may(client: Any, make_user: Any) -> None:
    morning.note()
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    page = text(client.get("/admin/"))
    for words in ("Not billed yet", "Where things stand", "Audit chain", "Paid by day"):
        assert words not in page
