"""Fees on the page of a subscription, in the API and in the console."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Member
from billing.models import SubscriptionCharge
from billing.services.subscriptions.plan_changes import change_plan
from core.periods import today
from subscriptions.models import Plan, PlanPrice, Subscription
from subscriptions.services.subscriptions import request_subscription
from tests.billing.subscribers import ALICE, on, place, plan, price, renew, subscribe
from tests.billing.test_api import post, problem, signed_in
from tests.pages.conftest import as_alice, as_bob, as_finance, read, text
from tests.pages.test_markup import test_pages_can_be_read_aloud as read_aloud

__all__ = ["as_alice", "as_bob", "as_finance"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def pro(db: None) -> Plan:
    return plan()


@pytest.fixture
def big(db: None) -> Plan:
    return plan("big", "620", trial_days=0)


@pytest.fixture
def row(pro: Plan, alice: Any) -> Subscription:
    """It began just now."""
    return request_subscription(actor=ALICE, plan=pro, user=alice)


@pytest.fixture
def january(pro: Plan, alice: Any) -> Subscription:
    return subscribe(pro, "2027-01-01", user=alice)


def page_of(row: Subscription, more: str = "") -> str:
    return f"/subscriptions/{row.uuid}/{more}"


def api(row: Subscription, more: str = "") -> str:
    return f"/api/v1/subscriptions/{row.uuid}/{more}".rstrip("/")


def client_on(user: Any, when: str) -> Client:
    """Signed in at that moment, so that the session holds then."""
    with on(when):
        return signed_in(user)


# --- the page -------------------------------------------------------------------------
def test_the_page_says_what_it_costs_and_how_each_fee_came_about(january: Subscription, big: Plan, alice: Any) -> None:
    browser = client_on(alice, "2027-01-16")
    with on("2027-01-16"):
        words = text(browser.get(page_of(january)))
        for each in ("Fee THB 310.00, monthly", "Period 1 Jan 2027 – 31 Jan 2027", "THB 310.00, monthly on 1 Feb 2027",
                     "310 THB, the fee since 1 Jan 2020", "first period", "not yet"):  # fmt: skip
            assert each in words, each
        change_plan(actor=ALICE, subscription=january, plan=big)
        words = text(browser.get(page_of(january)))
    for each in ("310 × 16 of 31 days", "620 × 16 of 31 days", "−160.00", "320.00", "rest of the period given back"):
        assert each in words, each


def test_it_says_why_it_could_not_be_renewed(january: Subscription, alice: Any) -> None:
    PlanPrice.objects.update(effective_from=date(2028, 1, 1))
    assert renew("2027-02-02").failed == 1
    browser = client_on(alice, "2027-02-02")
    with on("2027-02-02"):
        words = text(browser.get(page_of(january)))
    assert "The plan pro has no fee for monthly, THB on 1 Feb 2027. Nothing is charged until finance" in words


def test_a_free_plan_says_so(as_alice: Any, alice: Any) -> None:
    row = request_subscription(actor=ALICE, plan=plan("free", None), user=alice)
    assert "Fee free of charge" in text(as_alice.get(page_of(row)))


def test_the_plan_is_changed_in_two_steps_with_the_amounts_between(
    january: Subscription, big: Plan, alice: Any
) -> None:
    browser = client_on(alice, "2027-01-16")
    with on("2027-01-16"):
        assert "You will see what it costs" in text(browser.get(page_of(january, "change/")))
        second = browser.get(page_of(january, "change/"), {"plan": "big", "when": "now"})
        for each in ("310 × 16 of 31 days", "−160.00", "Charged on the next invoice THB 160.00",
                     "THB 620.00, monthly from 1 Feb 2027 on"):  # fmt: skip
            assert each in text(second).replace("THB 160", "THB 160"), text(second)
        assert SubscriptionCharge.objects.count() == 1
        order = {"plan": "big", "when": "now", "expected": second.context["quote"].token}
        words = text(browser.post(page_of(january, "change/"), order, follow=True))
        assert "The plan is changed." in words
        assert "Plan changed pro → big" in words
    assert SubscriptionCharge.objects.count() == 3


def test_a_change_with_the_next_period_and_its_end(as_alice: Any, row: Subscription, big: Plan) -> None:
    order = {"plan": "big", "when": "end"}
    assert "nothing is charged or given back" in text(as_alice.get(page_of(row, "change/"), order))
    words = text(as_alice.post(page_of(row, "change/"), order, follow=True))
    assert "With the next period Big takes over." in words
    words = text(as_alice.post(page_of(row, "keep/"), follow=True))
    assert "It goes on as it is." in words
    assert "takes over." not in words
    assert "It went on as it is before." in text(as_alice.post(page_of(row, "keep/"), follow=True))


def test_amounts_that_no_longer_hold_are_told(as_alice: Any, row: Subscription, big: Plan) -> None:
    token = as_alice.get(page_of(row, "change/"), {"plan": "big", "when": "now"}).context["quote"].token
    price(big, "900", today())
    order = {"plan": "big", "when": "now", "expected": token}
    assert "The amounts have changed since" in text(as_alice.post(page_of(row, "change/"), order, follow=True))
    row.refresh_from_db()
    assert row.plan.code == "pro"


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_plans_that_one_may_take_are_offered(as_alice: Any, row: Subscription, method: str) -> None:
    assert "There is no plan that you could change to" in text(as_alice.get(page_of(row, "change/")))
    plan("careful", "10", requires_approval=True)
    plan("closed", "10", is_active=False)
    for code in ("careful", "closed", "pro", "none"):
        answer = getattr(as_alice, method)(page_of(row, "change/"), {"plan": code, "when": "now"})
        assert answer.status_code == 400
    row.refresh_from_db()
    assert row.plan.code == "pro"


def but_one_day(row: Subscription) -> Decimal:
    """What comes back of 310 on the first day of the period."""
    assert row.period_start is not None
    assert row.period_end is not None
    days = (row.period_end - row.period_start).days
    return (Decimal(310) * (days - 1) / days).quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_the_end_is_chosen_and_can_be_taken_back(as_alice: Any, row: Subscription) -> None:
    words = text(as_alice.get(page_of(row)))
    assert "with its period, on" in words
    assert "is given back for the rest of the period" in words
    words = text(as_alice.post(page_of(row, "cancel/"), {"when": "end", "reason": "moved"}, follow=True))
    assert "It ends with its period." in words
    assert "costs nothing more" in words
    assert "Cancellation set for the end of the period moved" in words
    as_alice.post(page_of(row, "keep/"))
    row.refresh_from_db()
    assert (row.status, row.cancel_at_period_end) == ("active", False)
    as_alice.post(page_of(row, "cancel/"), {"when": "now"})
    assert [each.amount for each in SubscriptionCharge.objects.order_by("pk")] == [310, -but_one_day(row)]


def test_somebody_elses_is_as_absent_as_none(as_bob: Any, as_finance: Any, row: Subscription, big: Plan) -> None:
    for more in ("change/", "keep/", "cancel/"):
        for browser in (as_bob, as_finance):
            there = browser.post(page_of(row, more), {"plan": "big", "when": "now"})
            nowhere = browser.post(f"/subscriptions/{uuid4()}/{more}", {"plan": "big", "when": "now"})
            assert there.status_code == nowhere.status_code == 404
    assert as_bob.get(page_of(row, "change/")).status_code == 404
    row.refresh_from_db()
    assert (row.status, row.plan.code) == ("active", "pro")


def test_a_member_reads_and_an_owner_acts(alice: Any, bob: Any, pro: Plan, big: Plan) -> None:
    lab = place(alice)
    Member.objects.create(organisation=lab, user=bob, role="member")
    row = request_subscription(actor=ALICE, plan=pro, organisation=lab)
    words = text(signed_in(bob).get(page_of(row)))
    assert "THB 310.00, monthly" in words
    assert "Change the plan" not in words
    assert signed_in(bob).post(page_of(row, "change/"), {"plan": "big", "when": "end"}).status_code == 404
    assert signed_in(alice).post(page_of(row, "change/"), {"plan": "big", "when": "end"}).status_code == 302


def test_a_stranger_signs_in_first(client: Any, row: Subscription) -> None:
    path = page_of(row, "change/")
    assert client.get(path)["Location"] == f"/accounts/login/?next={path}"
    for more in ("cancel/", "keep/"):
        assert client.post(page_of(row, more)).status_code == 302


@pytest.mark.parametrize("path", ["", "change/", "change/?plan=big&when=now", "change/?plan=big&when=end"])
def test_pages_carry_nothing_inline_can_be_read_aloud_and_ask_little(
    as_alice: Any, row: Subscription, big: Plan, path: str, django_assert_max_num_queries: Any
) -> None:
    page = read(as_alice.get(page_of(row, path)))
    assert (page.styles, page.inline_scripts) == ([], [])
    read_aloud(as_alice, row, page_of(row, path))
    with django_assert_max_num_queries(20):
        as_alice.get(page_of(row, path))


# --- the API ----------------------------------------------------------------------------
def test_fees_over_the_api(january: Subscription, big: Plan, alice: Any) -> None:
    with on("2027-01-16"):
        change_plan(actor=ALICE, subscription=january, plan=big)
    rows = signed_in(alice).get(api(january, "charges")).json()["results"]
    assert [(each["kind"], each["amount"], each["currency"], each["invoiced"]) for each in rows] == [
        ("proration", "320.00", "THB", False), ("credit", "-160.00", "THB", False), ("fee", "310.00", "THB", False),
    ]  # fmt: skip
    assert rows[0]["how"] == "620 × 16 of 31 days"
    assert rows[0]["explanation"]["units"] == 16
    page = signed_in(alice).get(api(january, "charges"), {"limit": 2}).json()
    assert [each["kind"] for each in signed_in(alice).get(page["next"]).json()["results"]] == ["fee"]
    one = signed_in(alice).get(api(january)).json()
    assert (one["fee"], one["period_end"], one["next_plan"], one["cancel_at_period_end"]) == (
        "620", "2027-02-01T00:00:00+07:00", None, False,
    )  # fmt: skip


def test_a_change_over_the_api_is_shown_before(row: Subscription, big: Plan, alice: Any) -> None:
    browser = signed_in(alice)
    quote = post(browser, api(row, "change/preview"), {"plan": "big"}).json()
    assert [(each["kind"], each["amount"]) for each in quote["parts"]] == [
        ("credit", "-310.00"), ("proration", "620.00"),
    ]  # fmt: skip
    assert (quote["net"], quote["currency"], SubscriptionCharge.objects.count()) == ("310.00", "THB", 1)
    order = {"plan": "big", "expected": quote["expected"]}
    answer = post(browser, api(row, "change"), order)
    assert (answer.status_code, answer.json()["plan"], answer.json()["history"][-1]["action"]) == (200, "big", "change")
    assert post(browser, api(row, "change"), order).status_code == 200, "a repeat"
    assert SubscriptionCharge.objects.count() == 3


def test_what_the_api_refuses(row: Subscription, big: Plan, alice: Any, bob: Any, finance: Any) -> None:
    careful = plan("careful", "10", requires_approval=True)
    unpriced = plan("unpriced", None)
    price(unpriced, "10", today() + timedelta(days=400))
    browser = signed_in(alice)
    for order, status, code in (
        ({"plan": "none"}, 400, "bad_input"), ({"plan": "careful"}, 409, "needs_approval"),
        ({"plan": "unpriced"}, 409, "no_price"), ({"plan": "big", "expected": "x"}, 409, "total_changed"),
        ({"plan": "big", "now": True}, 400, "invalid"), ({}, 400, "invalid"),
    ):  # fmt: skip
        problem(post(browser, api(row, "change"), order), status, code)
    for more in ("change", "change/preview", "cancel", "keep"):
        problem(post(signed_in(bob), api(row, more), {"plan": "big"}), 404, "not_found")
        problem(post(Client(), api(row, more), {}), 401, "not_authenticated")
    problem(signed_in(bob).get(api(row, "charges")), 404, "not_found")
    assert post(signed_in(finance), api(row, "change"), {"plan": careful.code}).json()["plan"] == "careful"


def test_a_member_over_the_api_reads_only(alice: Any, bob: Any, pro: Plan, big: Plan) -> None:
    lab = place(alice)
    Member.objects.create(organisation=lab, user=bob, role="member")
    row = request_subscription(actor=ALICE, plan=pro, organisation=lab)
    assert signed_in(bob).get(api(row, "charges")).status_code == 200
    problem(post(signed_in(bob), api(row, "change"), {"plan": "big"}), 403, "permission_denied")


def test_an_end_with_the_period_over_the_api(row: Subscription, alice: Any) -> None:
    browser = signed_in(alice)
    for _again in range(2):
        body = post(browser, api(row, "cancel"), {"at_period_end": True, "reason": "moved"}).json()
        assert (body["status"], body["cancel_at_period_end"]) == ("active", True)
    body = post(browser, api(row, "keep"), {}).json()
    assert body["cancel_at_period_end"] is False
    assert post(browser, api(row, "cancel"), {}).json()["status"] == "canceled"


# --- the console --------------------------------------------------------------------------
LIST, CHARGES = "/admin/subscriptions/subscription/", "/admin/billing/subscriptioncharge/"


def act(browser: Any, name: str, row: Subscription, **more: str) -> Any:
    return browser.post(LIST, {"action": name, "_selected_action": row.pk, **more}, follow=True)


def test_finance_sees_fees_and_every_charge(as_finance: Any, row: Subscription) -> None:
    words = text(as_finance.get(f"{LIST}{row.pk}/change/"))
    for each in ("THB 310.00, monthly", "310 THB, the fee since 1 Jan 2020", "Change the plan …", "Cancel now …",
                 "Cancel with the period …"):  # fmt: skip
        assert each in words, each
    assert "THB 310.00" in text(as_finance.get(CHARGES, {"billed": "no"}))
    assert "THB 310.00" not in text(as_finance.get(CHARGES, {"billed": "yes"}))
    charge = SubscriptionCharge.objects.get()
    assert as_finance.get(f"{CHARGES}{charge.pk}/change/").status_code == 200
    for path in (f"{CHARGES}add/", f"{CHARGES}{charge.pk}/delete/"):
        assert as_finance.get(path).status_code == 403


def test_finance_changes_a_plan_in_two_steps(as_finance: Any, row: Subscription) -> None:
    plan("careful", "620", requires_approval=True)
    first = act(as_finance, "plan_action", row)
    here = f"{LIST}{row.pk}/plan/"
    assert first.redirect_chain == [(here, 302)]
    second = as_finance.get(here, {"plan": "careful", "when": "now"})
    assert "Charged on the next invoice" in text(second)
    order = {"plan": "careful", "when": "now", "expected": second.context["quote"].token}
    assert "The plan is changed." in text(as_finance.post(here, order, follow=True))
    row.refresh_from_db()
    assert row.plan.code == "careful"
    assert "The amounts have changed" in text(as_finance.post(here, {**order, "plan": plan("x").code}, follow=True))


def test_finance_cancels_with_the_period_and_keeps_it(as_finance: Any, row: Subscription) -> None:
    assert "cost nothing more" in text(act(as_finance, "cancel_later_action", row))
    assert "1 subscription canceled." in text(act(as_finance, "cancel_later_action", row, confirm="1", text="asked"))
    row.refresh_from_db()
    assert (row.status, row.cancel_at_period_end) == ("active", True)
    assert "1 subscription kept." in text(act(as_finance, "keep_action", row, confirm="1"))
    asked = text(act(as_finance, "cancel_action", row))
    assert "given back for the rest of their periods" in asked
    assert str(but_one_day(row)) in asked
    act(as_finance, "cancel_action", row, confirm="1", text="asked")
    row.refresh_from_db()
    assert (row.status, SubscriptionCharge.objects.count()) == ("canceled", 2)


def test_an_auditor_reads_and_changes_nothing(auditor: Any, row: Subscription, big: Plan) -> None:
    browser = signed_in(auditor)
    assert browser.get(CHARGES).status_code == 200
    assert browser.get(f"{LIST}{row.pk}/plan/").status_code == 403
    assert browser.post(f"{LIST}{row.pk}/plan/", {"plan": "big", "when": "now"}).status_code == 403
    assert "Change the plan …" not in text(browser.get(f"{LIST}{row.pk}/change/"))


def test_what_could_not_be_renewed_stands_on_the_front_page(january: Subscription, finance: Any) -> None:
    PlanPrice.objects.update(effective_from=date(2028, 1, 1))
    renew("2027-02-02")
    browser = signed_in(finance)
    assert "Subscriptions could not be renewed" in text(browser.get("/admin/"))
    assert "alice · Pro" in text(browser.get(LIST, {"parked": "yes"})).replace("alice Pro", "alice · Pro")
    assert "The plan pro has no fee" in text(browser.get(f"{LIST}{january.pk}/change/"))


def test_a_list_of_charges_asks_as_little_with_more_rows(
    as_finance: Any, pro: Plan, make_user: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        request_subscription(actor=ALICE, plan=pro, user=make_user(f"u{number}"))
    as_finance.get(CHARGES)
    with django_assert_max_num_queries(15):
        as_finance.get(CHARGES)
