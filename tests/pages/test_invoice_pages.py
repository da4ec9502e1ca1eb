"""Invoices for those who look after an organisation's bills: pages and API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import Member, Tier
from billing.models import Invoice
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.payments import record_payment
from tests.accounts.worlds import World, make_world
from tests.billing.invoicing import FIN, draft, exchange, fee, finalized, make_customer, off, price, use
from tests.factories import make_job, make_jobs
from tests.pages.conftest import as_alice, read, text

__all__ = ["as_alice"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def world(make_user: Any) -> World:
    return make_world(make_user)


@pytest.fixture
def invoice(world: World, settings: Any) -> Invoice:
    """Of Physics: jobs, usage in dollars, a fee, a discount and tax."""
    settings.BILLING_TAX_ENABLED = True
    project = make_customer("Physics", account="lowtemp", project="Low temperature")
    project.organisation.refresh_from_db()
    project.organisation.billing_mode = "invoices"
    project.organisation.save()
    make_jobs(3, account="lowtemp", username="x")
    exchange("USD", "THB", "30")
    price("llm", "0.001", quantity="request_tokens", currency="USD", description="Model calls")
    use(project, 2, metric_name="llm", model_id="m1", request_tokens=5000)
    price(
        "storage", None, charge_model="graduated", steps=[(Decimal(10), "2"), (None, "1")], minimum_charge=Decimal(40)
    )
    use(project, metric_name="storage", metric_value=Decimal(15), unit="GB")
    fee(project)
    off(project, percent=Decimal(10))
    return finalized(project)


@pytest.mark.parametrize(
    ("who", "sees"),
    [("owner", True), ("billing_manager", True), ("member", False), ("viewer", False), ("rival", False),
     ("former", False), ("nobody", False)],
)  # fmt: skip
def test_only_who_looks_after_the_bills_sees_them(world: World, invoice: Invoice, who: str, sees: bool) -> None:
    client = world.client(who)
    wanted = 200 if sees else 404
    for address in (f"/invoices/{invoice.uuid}/", f"/invoices/{invoice.uuid}/lines/1/"):
        assert client.get(address).status_code == wanted
    for address in (f"/api/v1/invoices/{invoice.uuid}", f"/api/v1/invoices/{invoice.uuid}/lines/1/explain"):
        assert client.get(address).status_code == wanted
    assert (str(invoice) in text(client.get("/invoices/"))) is sees
    assert len(client.get("/api/v1/invoices").json()["results"]) == int(sees)


def test_strangers_are_sent_to_sign_in(world: World, invoice: Invoice) -> None:
    response = world.client("stranger").get(f"/invoices/{invoice.uuid}/")
    assert response["Location"].startswith("/accounts/login/")
    assert world.client("stranger").get("/api/v1/invoices").status_code == 401


def test_anothers_invoice_is_as_absent_as_one_that_never_was(world: World, invoice: Invoice) -> None:
    never = "00000000-0000-4000-8000-000000000000"
    client = world.client("rival")
    assert text(client.get(f"/invoices/{invoice.uuid}/")) == text(client.get(f"/invoices/{never}/"))
    assert client.get(f"/api/v1/invoices/{invoice.uuid}").json() == client.get(f"/api/v1/invoices/{never}").json()


def test_drafts_are_finances_alone(world: World, finance: Any, client: Any) -> None:
    project = make_customer("Physics", account="")
    fee(project)
    row = draft(project)
    assert world.client("owner").get(f"/invoices/{row.uuid}/").status_code == 404
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/invoices/{row.uuid}/").status_code == 200


def test_the_menu_offers_invoices_to_whom_they_concern(world: World) -> None:
    assert reverse("billing:invoices") in world.client("billing_manager").get("/").content.decode()
    assert reverse("billing:invoices") not in world.client("member").get("/").content.decode()


def test_the_page_says_what_is_owed_and_how_it_came_about(world: World, invoice: Invoice) -> None:
    record_payment(actor=FIN, invoice=invoice, amount=Decimal(100), currency="THB", method="manual", reference="s1")
    write_credit_note(actor=FIN, invoice=invoice, reason="too slow", lines={1: Decimal(10)})
    words = text(world.client("owner").get(f"/invoices/{invoice.uuid}/"))
    for each in (str(invoice), "Model calls · m1 · request tokens", "Slurm jobs, tier", "Low temperature",
                 "Minimum charge: storage", "Discount", "VAT 7.00 %", "Paid so far", "Credited", "too slow",
                 "Payment received", "1 USD = 30 THB"):  # fmt: skip
        assert each in words, each


def test_the_page_is_in_thai_too(world: World, invoice: Invoice) -> None:
    client = world.client("owner")
    client.cookies["django_language"] = "th"
    assert client.get(f"/invoices/{invoice.uuid}/").status_code == 200


@pytest.mark.parametrize(
    "page", ["", "?status=overdue", "?status=paid", "{uuid}/", "{uuid}/lines/1/", "{uuid}/lines/2/"]
)
def test_pages_ask_little_and_carry_nothing_inline(
    world: World, invoice: Invoice, page: str, django_assert_max_num_queries: Any
) -> None:
    client = world.client("owner")
    with django_assert_max_num_queries(15):
        response = client.get(f"/invoices/{page.format(uuid=invoice.uuid)}")
    found = read(response)
    assert (response.status_code, found.styles, found.inline_scripts) == (200, [], [])
    assert response.content.decode().count("<h1") == 1


def test_the_list_without_any_says_what_it_will_show(world: World) -> None:
    assert "No invoices yet" in text(world.client("owner").get("/invoices/"))


def number_of(invoice: Invoice, **wanted: Any) -> int:
    return invoice.lines.get(**wanted).line_number


def explained(world: World, invoice: Invoice, **wanted: Any) -> dict[str, Any]:
    answer = world.client("owner").get(
        f"/api/v1/invoices/{invoice.uuid}/lines/{number_of(invoice, **wanted)}/explain"
    )  # fmt: skip
    found: dict[str, Any] = answer.json()
    return found


def test_a_line_of_jobs_is_explained_down_to_its_jobs(world: World, invoice: Invoice) -> None:
    found = explained(world, invoice, kind="jobs")
    assert [job["cost"] for job in found["jobs"]] == [found["jobs"][0]["cost"]] * 3
    assert (
        sum(Decimal(job["cost"]) for job in found["jobs"]) == Decimal(found["total"]) == Decimal(found["counted_now"])
    )
    assert [each["label"] for each in found["products"]] == ["cpu", "gpu", "mem"]
    assert found["jobs_total"] == 3
    first = world.client("owner").get(
        f"/api/v1/invoices/{invoice.uuid}/lines/{number_of(invoice, kind='jobs')}/explain?limit=2"
    ).json()  # fmt: skip
    rest = world.client("owner").get(
        f"/api/v1/invoices/{invoice.uuid}/lines/{number_of(invoice, kind='jobs')}/explain?cursor={first['jobs_next']}"
    ).json()  # fmt: skip
    assert [len(first["jobs"]), len(rest["jobs"])] == [2, 1]


@pytest.mark.parametrize(("language", "words"), [("en", "Tier Walk-ins"), ("th", "กลุ่มราคา ลูกค้าทั่วไป")])
def test_a_line_of_jobs_names_its_tier_in_the_readers_language(
    world: World, invoice: Invoice, language: str, words: str
) -> None:
    number = number_of(invoice, kind="jobs")
    Tier.objects.filter(pk=invoice.lines.get(line_number=number).source["tier"]).update(
        name="Walk-ins", name_th="ลูกค้าทั่วไป"
    )
    client = world.client("owner")
    client.cookies["django_language"] = language
    assert words in text(client.get(f"/invoices/{invoice.uuid}/lines/{number}/"))


def test_a_line_of_usage_is_explained_by_its_days_its_steps_and_its_price(world: World, invoice: Invoice) -> None:
    found = explained(world, invoice, kind="usage", metric_name="storage")
    assert [(each["quantity"], each["unit_price"], each["amount"]) for each in found["products"]] == [
        ("10", "2", "20"), ("5", "1", "5"),
    ]  # fmt: skip
    assert (found["exact"], found["days"][0]["day"], found["days"][0]["total"]) == ("25", "2026-10-15", "15")
    assert (found["price"]["charge_model"], found["price"]["own"]) == ("graduated", False)
    dollars = explained(world, invoice, kind="usage", metric_name="llm")
    assert (dollars["conversion"]["rate"][:2], dollars["currency"], Decimal(dollars["exact"])) == ("30", "USD", 10)
    assert Decimal(dollars["total"]) == 300


def test_late_usage_shows_beside_the_line_that_does_not_count_it(world: World, invoice: Invoice) -> None:
    project = make_customer("Physics", account="", project="Low temperature")
    use(project, metric_name="storage", metric_value=Decimal(1), unit="GB")
    found = explained(world, invoice, kind="usage", metric_name="storage")
    assert (found["quantity"], found["counted_now"]) == ("15", "16")
    number = number_of(invoice, kind="usage", metric_name="storage")
    assert "Usage arrived after" in text(world.client("owner").get(f"/invoices/{invoice.uuid}/lines/{number}/"))


def test_the_least_and_the_fee_are_explained(world: World, invoice: Invoice) -> None:
    least = explained(world, invoice, kind="minimum")
    assert (least["facts"], Decimal(least["total"])) == ({"minimum": "40", "used": "25"}, 15)
    found = explained(world, invoice, kind="fee")
    assert (found["facts"]["plan"], found["facts"]["kind"]) == ("pro", "fee")


def test_a_line_that_is_not_there_is_absent(world: World, invoice: Invoice) -> None:
    assert world.client("owner").get(f"/invoices/{invoice.uuid}/lines/99/").status_code == 404


def test_the_api_tells_everything_with_the_places_of_the_currency(world: World, invoice: Invoice) -> None:
    found = world.client("owner").get(f"/api/v1/invoices/{invoice.uuid}").json()
    assert found["number"] == str(invoice)
    assert Decimal(found["total"]) == invoice.total
    assert all(len(found[name].partition(".")[2]) == 2 for name in ("subtotal", "tax", "total", "amount_due"))
    assert [line["number"] for line in found["lines"]] == list(range(1, len(found["lines"]) + 1))
    assert found["taxes"][0]["rate"] == "7.00"


@pytest.mark.parametrize(
    ("query", "number"),
    [("status=finalized", 1), ("status=paid", 0), ("year=2026&month=10", 1), ("month=11", 0), ("overdue=true", 0),
     ("overdue=false", 1)],
)  # fmt: skip
def test_the_list_can_be_narrowed(world: World, invoice: Invoice, query: str, number: int) -> None:
    assert len(world.client("owner").get(f"/api/v1/invoices?{query}").json()["results"]) == number


def test_a_parameter_that_is_not_known_is_refused(world: World) -> None:
    assert world.client("owner").get("/api/v1/invoices?statsu=paid").status_code == 400


def test_the_jobs_of_an_invoice_taken_back_are_said_to_be_free(world: World, invoice: Invoice) -> None:
    write_credit_note(actor=FIN, invoice=invoice, reason="wrong", cancel=True)
    make_job(account="lowtemp")
    number = number_of(invoice, kind="jobs")
    assert "its jobs can be billed on another" in text(
        world.client("owner").get(f"/invoices/{invoice.uuid}/lines/{number}/")
    )


def test_who_left_sees_nothing_any_more(world: World, invoice: Invoice) -> None:
    Member.objects.filter(user="owner").delete()
    assert world.client("owner").get(f"/invoices/{invoice.uuid}/").status_code == 404
