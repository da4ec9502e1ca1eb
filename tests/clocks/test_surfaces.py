"""Clocks over the API and in the console: who may what, and that tests are told from real documents everywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Member, Organisation, Project, ProjectAccount, TestClock, Work
from accounts.services.organisations import create_organisation
from accounts.services.work import run_next
from billing.documents.invoice_paper import bill_of
from billing.documents.invoice_pdf import invoice_pdf
from billing.documents.templated import template_pdf
from billing.models import Invoice
from billing.selectors.documents.templates import standard_look
from billing.selectors.jobs.proof import prove
from billing.selectors.jobs.usage import UsageFilter, totals
from core.clock import of_tests, real
from hpcbilling.pages import morning
from subscriptions.services.subscriptions import request_subscription
from tests.billing.invoicing import price, use
from tests.billing.subscribers import plan
from tests.billing.test_receipt_pdf import pages, squeezed
from tests.clocks.worlds import FIN, at, clock_at, clocked, go
from tests.factories import account_tier, make_job
from tests.pages.conftest import text
from tests.usage.events import body

pytestmark = pytest.mark.django_db
URL = "/api/v1/test-clocks"


@pytest.fixture
def clock() -> TestClock:
    return clock_at("2028-01-31T10:00")


@pytest.fixture
def lab(clock: TestClock, alice: Any) -> Organisation:
    found = clocked(clock)
    Member.objects.create(organisation=found, user=alice, role="owner")
    return found


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def post(user: Any, path: str, **data: Any) -> Any:
    return signed_in(user).post(path, json.dumps(data), content_type="application/json")


# --- the API -----------------------------------------------------------------------------
def test_finance_makes_binds_and_advances(finance: Any) -> None:
    made = post(finance, URL, name="spring", frozen_time="2028-01-31T10:00:00+07:00")
    assert (made.status_code, made.json()["status"], made.json()["organisations"]) == (201, "ready", [])
    where = f"{URL}/{made.json()['uuid']}"
    lab = create_organisation(actor=FIN, name="Lab", currency="THB")
    bound = post(finance, f"{where}/organisations", organisation=str(lab.uuid))
    assert (bound.status_code, bound.json()["organisations"]) == (200, [str(lab.uuid)])
    request_subscription(actor=FIN, plan=plan(), organisation=Organisation.objects.get(pk=lab.pk))
    moved = post(finance, f"{where}/advance", to="2028-03-01T00:00:00+07:00")
    assert (moved.status_code, moved.json()["frozen_time"]) == (200, "2028-03-01T00:00:00+07:00")
    assert Invoice.objects.filter(organisation=lab).count() == 2
    assert signed_in(finance).get(URL).json()["results"][0]["name"] == "spring"


def test_a_long_way_is_long_work(finance: Any, clock: TestClock, lab: Organisation, settings: Any) -> None:
    settings.DUNNING_SUSPEND_DAYS = 0
    request_subscription(actor=FIN, plan=plan(), organisation=lab)
    where = f"{URL}/{clock.uuid}"
    asked = post(finance, f"{where}/advance", to="2028-06-01T00:00:00+07:00")
    assert (asked.status_code, asked.json()["status"], asked.json()["target_time"]) == (
        202, "advancing", "2028-06-01T00:00:00+07:00",
    )  # fmt: skip
    assert post(finance, f"{where}/advance", to="2028-06-01T00:00:00+07:00").status_code == 202  # no second work
    assert post(finance, f"{where}/advance", to="2028-07-01T00:00:00+07:00").json()["code"] == "clock_advancing"
    run_next()
    work = Work.objects.get()
    assert (work.status, work.result["finalized"]) == ("done", 5)
    assert signed_in(finance).get(where).json()["frozen_time"] == "2028-06-01T00:00:00+07:00"


def test_owners_read_and_advance_but_neither_make_nor_bind(alice: Any, clock: TestClock, lab: Organisation) -> None:
    where = f"{URL}/{clock.uuid}"
    assert signed_in(alice).get(where).status_code == 200
    assert post(alice, f"{where}/advance", to="2028-02-02T00:00:00+07:00").status_code == 200
    assert post(alice, URL, name="x", frozen_time="2028-01-31T10:00:00Z").status_code == 403
    assert post(alice, f"{where}/organisations", organisation=str(lab.uuid)).status_code == 403


def test_who_owns_only_some_of_its_organisations_does_not_advance_it(
    alice: Any, clock: TestClock, lab: Organisation
) -> None:
    clocked(clock, "Another's")
    assert post(alice, f"{URL}/{clock.uuid}/advance", to="2028-02-02T00:00:00Z").status_code == 403
    clock.refresh_from_db()
    assert clock.frozen_time == at("2028-01-31T10:00")


def test_anothers_clock_is_as_absent_as_one_that_never_was(bob: Any, clock: TestClock, lab: Organisation) -> None:
    nobodys = f"{URL}/00000000-0000-4000-8000-000000000000"
    for suffix, data in (
        ("/advance", {"to": "2028-02-02T00:00:00Z"}),
        ("/organisations", {"organisation": str(lab.uuid)}),
    ):
        theirs, none = (post(bob, where + suffix, **data) for where in (f"{URL}/{clock.uuid}", nobodys))
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content
    assert signed_in(bob).get(f"{URL}/{clock.uuid}").status_code == signed_in(bob).get(nobodys).status_code == 404
    assert signed_in(bob).get(URL).json()["results"] == []
    assert Client().get(URL).status_code == 401


def test_a_real_organisation_is_refused(finance: Any, clock: TestClock) -> None:
    from tests.billing.invoicing import make_customer

    use(project := make_customer())
    answer = post(finance, f"{URL}/{clock.uuid}/organisations", organisation=str(project.organisation.uuid))
    assert (answer.status_code, answer.json()["code"]) == (409, "organisation_has_past")


@pytest.mark.parametrize("to", ["2028-01-31T03:00:00Z", "2029-06-01T00:00:00Z", "2028-13-01T00:00:00Z", "soon"])
def test_a_time_that_cannot_be_is_refused(finance: Any, clock: TestClock, to: str) -> None:
    assert post(finance, f"{URL}/{clock.uuid}/advance", to=to).status_code == 400


def test_events_are_taken_by_the_time_of_the_clock(alice: Any, clock: TestClock, lab: Organisation) -> None:
    Project.objects.create(organisation=lab, name="p")
    project = str(Project.objects.get().uuid)
    moments = {"2028-01-31T02:59:00Z": "", "2028-01-31T04:00:00Z": "in_the_future", "2026-11-27T00:00:00Z": "too_old"}
    for moment, why in moments.items():
        answer = post(alice, "/api/v1/events", **body(project=project, timestamp=moment))
        assert why in answer.content.decode()
        assert (answer.status_code == 202) == (not why)


# --- marks ------------------------------------------------------------------------------
@pytest.fixture
def invoice(clock: TestClock, lab: Organisation) -> Invoice:
    request_subscription(actor=FIN, plan=plan(), organisation=lab)
    go(clock, "2028-02-01")
    return Invoice.objects.get()


def test_a_test_says_so_on_its_page_its_paper_and_over_the_api(alice: Any, invoice: Invoice) -> None:
    mine = signed_in(alice)
    assert "TEST: no real document." in text(mine.get(f"/invoices/{invoice.uuid}/"))
    assert "TEST" in text(mine.get("/invoices/"))
    assert mine.get(f"/api/v1/invoices/{invoice.uuid}").json()["is_test"] is True
    (page,) = pages(invoice_pdf(invoice=invoice, language="en"))
    assert squeezed("TEST: no real document") in page
    assert squeezed(str(invoice)).startswith("TEST-INV")


def test_a_template_of_finances_own_cannot_leave_the_mark_off(invoice: Invoice) -> None:
    bill = bill_of(invoice)
    html, css = standard_look()
    look = {"html": html, "css": css, "language": "en"}
    (page,) = pages(template_pdf(bill=bill, **look).content)
    assert "TEST" in page.replace(squeezed(str(invoice)), "")
    (page,) = pages(template_pdf(bill=replace(bill, is_test=False), **look).content)
    assert "TEST" not in page.replace(squeezed(str(invoice)), "")


def test_a_real_one_does_not(finance: Any) -> None:
    from tests.billing.invoicing import finalized, make_customer

    use(project := make_customer())
    price()
    one = finalized(project)
    assert "TEST" not in text(signed_in(finance).get(f"/invoices/{one.uuid}/"))
    assert signed_in(finance).get(f"/api/v1/invoices/{one.uuid}").json()["is_test"] is False
    assert "TEST" not in pages(invoice_pdf(invoice=one, language="en"))[0]


def test_real_leaves_them_out(invoice: Invoice) -> None:
    assert list(real(Invoice.objects.all())) == []
    assert list(of_tests(Invoice.objects.all())) == [invoice]


# --- Slurm jobs of their accounts -----------------------------------------------------------
def test_jobs_of_a_clock_are_on_its_invoice_and_in_no_figure_of_the_site(clock: TestClock, alice: Any) -> None:
    lab = clocked(clock)
    project = Project.objects.create(organisation=lab, name="p")
    ProjectAccount.objects.create(project=project, account="sandbox")
    account_tier("sandbox", "mu")
    account_tier("physics", "mu")
    make_job(account="sandbox", end_at=at("2028-01-31T11:00"))
    make_job(account="physics", end_at=at("2028-01-31T11:00"))
    with time_machine.travel(at("2028-02-02"), tick=False):
        proof = prove(date(2028, 1, 1))
        assert (proof.usage.jobs, sum(part.jobs for part in proof.parts.values())) == (1, 1)
        assert totals(UsageFilter(None, billed="no", only_real=True)).jobs == 1
        assert morning.note()["jobs"] == 1
    go(clock, "2028-02-01")
    line = Invoice.objects.get(organisation=lab).lines.get()
    assert (line.kind, line.quantity, line.total) == ("jobs", 1, Decimal(8))
    with time_machine.travel(at("2028-02-02"), tick=False):
        assert prove(date(2028, 1, 1)).usage.jobs == 1


def test_the_export_of_usage_leaves_their_jobs_out(clock: TestClock, finance: Any, alice: Any) -> None:
    from django.utils.module_loading import import_string

    from core.exports import ExportFilter
    from hpcbilling.settings import EXPORTS

    project = Project.objects.create(organisation=clocked(clock), name="p")
    ProjectAccount.objects.create(project=project, account="sandbox")
    account_tier("physics", "mu")
    make_job(account="sandbox")
    kept = make_job(account="physics")
    usage = import_string(EXPORTS["usage"])
    assert [row[1] for row in usage.rows(ExportFilter())] == [kept.job_key]


# --- the console -----------------------------------------------------------------------------
def test_finance_makes_and_advances_in_the_console(finance: Any, client: Any) -> None:
    client.force_login(finance)
    client.post("/admin/accounts/testclock/add/", {
        "name": "autumn", "frozen_time_0": "2028-01-31", "frozen_time_1": "10:00:00",
    })  # fmt: skip
    clock = TestClock.objects.get()
    assert clock.frozen_time == at("2028-01-31T10:00")
    create_organisation(actor=FIN, name="Lab", currency="THB")
    page = "/admin/accounts/testclock/"
    for action, words in (("bind_action", "Lab"), ("advance_action", "2028-02-02")):
        chosen = {"action": action, "_selected_action": clock.pk}
        assert client.post(page, chosen).status_code == 200
        client.post(page, {**chosen, "confirm": "1", "text": words})
    clock.refresh_from_db()
    assert clock.frozen_time == at("2028-02-02")
    assert clock.organisations.get().name == "Lab"
    assert "Lab" in text(client.get(f"/admin/accounts/testclock/{clock.pk}/change/"))


def test_an_auditor_looks_and_does_nothing(auditor: Any, client: Any, clock: TestClock) -> None:
    client.force_login(auditor)
    assert client.get("/admin/accounts/testclock/").status_code == 200
    chosen = {"action": "advance_action", "_selected_action": clock.pk, "confirm": "1", "text": "2028-03-01"}
    client.post("/admin/accounts/testclock/", chosen)
    clock.refresh_from_db()
    assert clock.frozen_time == at("2028-01-31T10:00")
    assert client.get("/admin/accounts/testclock/add/").status_code == 403
