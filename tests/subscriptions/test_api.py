"""Models, plans and subscriptions over the API: whose they are, what is refused, and how."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation
from subscriptions.models import AiModel, Plan, Subscription, SubscriptionStatus
from subscriptions.services.catalogue import change_model, create_model
from subscriptions.services.subscriptions import approve_subscription
from tests.billing.test_api import post, problem, signed_in
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db
NOBODYS = "8b0d0a51-0000-4000-8000-000000000000"
MODELS, PLANS, SUBSCRIPTIONS = "/api/v1/models", "/api/v1/plans", "/api/v1/subscriptions"


def ids(answer: Any, name: str = "id") -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row[name] for row in answer.json()["results"]]


# --- models and plans -----------------------------------------------------------------
@pytest.mark.parametrize(
    "path", [MODELS, f"{MODELS}/x", PLANS, f"{PLANS}/x", SUBSCRIPTIONS, f"{SUBSCRIPTIONS}/{NOBODYS}"]
)
def test_nobody_reads_without_signing_in(path: str) -> None:
    problem(Client().get(path), 401, "not_authenticated")


def test_a_restricted_model_is_there_for_those_who_have_it_and_for_staff(
    model: AiModel, secret_model: AiModel, quick_plan: Plan, alice: Any, bob: Any, finance: Any
) -> None:
    post(signed_in(alice), SUBSCRIPTIONS, {"plan": "med"})
    assert ids(signed_in(alice).get(MODELS)) == ["thai-med", "typhoon-2"]
    assert ids(signed_in(bob).get(MODELS)) == ["typhoon-2"]
    assert ids(signed_in(finance).get(MODELS)) == ["thai-med", "typhoon-2"]
    assert signed_in(alice).get(f"{MODELS}/thai-med").json()["restricted"] is True
    hidden, absent = (signed_in(bob).get(f"{MODELS}/{name}") for name in ("thai-med", "no-such"))
    assert problem(hidden, 404, "not_found") == problem(absent, 404, "not_found")


def test_a_model_that_is_off_is_there_for_staff_only(model: AiModel, alice: Any, finance: Any) -> None:
    change_model(actor=FIN, model=model, is_active=False)
    assert ids(signed_in(alice).get(MODELS)) == []
    assert signed_in(finance).get(f"{MODELS}/typhoon-2").json()["is_active"] is False


def test_prices_are_text_with_their_currency_and_null_where_there_are_none(model: AiModel, alice: Any) -> None:
    create_model(actor=FIN, id="openai/gpt 4o", context_length=8192)
    row = signed_in(alice).get(f"{MODELS}/typhoon-2").json()
    assert (row["input_price_per_1k"], row["output_price_per_1k"], row["currency"]) == (
        "0.100000000", "0.400000000", "THB",
    )  # fmt: skip
    row = signed_in(alice).get(f"{MODELS}/openai/gpt%204o").json()
    assert (row["id"], row["input_price_per_1k"], row["context_length"]) == ("openai/gpt 4o", None, 8192)


def test_pages_follow_each_other(alice: Any) -> None:
    for place in range(5):
        create_model(actor=FIN, id=f"m{place}", provider="x" if place else "y")
    browser, seen, path = signed_in(alice), [], f"{MODELS}?limit=2"
    while path:
        seen += ids(browser.get(path))
        path = browser.get(path).json()["next"]
    assert seen == ["m0", "m1", "m2", "m3", "m4"]
    assert ids(browser.get(f"{MODELS}?provider=y")) == ["m0"]
    for odd in ("cursor=x", "limit=0", "limit=a", "nothing=1"):
        assert browser.get(f"{MODELS}?{odd}").status_code == 400


def test_plans_that_take_new_subscriptions_are_listed_with_their_limits(
    plan: Plan, quick_plan: Plan, open_plan: Plan, alice: Any
) -> None:
    Plan.objects.filter(code="basic").update(is_active=False)
    browser = signed_in(alice)
    assert ids(browser.get(PLANS), "code") == ["med", "typhoon"]
    assert ids(browser.get(PLANS, {"model": "typhoon-2"}), "code") == ["typhoon"]
    assert browser.get(f"{PLANS}/typhoon").json() == {
        "code": "typhoon", "name": "Typhoon", "name_th": "ไต้ฝุ่น", "description": "", "model": "typhoon-2",
        "requires_approval": True, "trial_days": 0,
        "limits": [{"metric": "tokens", "limit": "1000000", "window": "month", "is_hard": True}],
        "prices": [],
    }  # fmt: skip
    problem(browser.get(f"{PLANS}/basic"), 404, "not_found")


# --- asking ---------------------------------------------------------------------------
def test_a_request_waits_or_begins_and_is_read_back_with_its_history(plan: Plan, quick_plan: Plan, alice: Any) -> None:
    browser = signed_in(alice)
    answer = post(browser, SUBSCRIPTIONS, {"plan": "typhoon", "reason": "thesis", "billing_cycle": "yearly"})
    assert answer.status_code == 201
    row = answer.json()
    assert (row["status"], row["plan"], row["model"], row["user"], row["organisation"], row["billing_cycle"]) == (
        "pending", "typhoon", "typhoon-2", "alice", None, "yearly",
    )  # fmt: skip
    assert [(each["text"], each["reason"]) for each in row["history"]] == [("Subscription requested", "thesis")]
    assert browser.get(f"{SUBSCRIPTIONS}/{row['id']}").json() == row
    assert post(browser, SUBSCRIPTIONS, {"plan": "med"}).json()["status"] == "trial"
    assert ids(browser.get(SUBSCRIPTIONS), "plan") == ["med", "typhoon"]
    assert ids(browser.get(SUBSCRIPTIONS, {"status": "pending"}), "plan") == ["typhoon"]
    assert ids(browser.get(SUBSCRIPTIONS, {"plan": "med"}), "plan") == ["med"]


def test_asking_twice_is_a_conflict_with_its_own_code(plan: Plan, alice: Any) -> None:
    assert post(signed_in(alice), SUBSCRIPTIONS, {"plan": "typhoon"}).status_code == 201
    problem(post(signed_in(alice), SUBSCRIPTIONS, {"plan": "typhoon"}), 409, "already_subscribed")
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid", "plan"), ({"plan": "none"}, "bad_input", "plan"), ({"plan": 5}, "invalid", "plan"),
        ({"plan": "typhoon", "organisation": "x"}, "invalid", "organisation"),
        ({"plan": "typhoon", "organisation": NOBODYS}, "bad_input", "organisation"),
        ({"plan": "typhoon", "whole_organisation": True}, "bad_input", "organisation"),
        ({"plan": "typhoon", "billing_cycle": "daily"}, "invalid", "billing_cycle"),
        ({"plan": "typhoon", "reason": "x" * 256}, "invalid", "reason"), ({"plan": "typhoon", "user": "bob"}, "invalid", "user"),
        ({"plan": "typhoon", "reason": "a\0b"}, "invalid", "reason"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_field(plan: Plan, alice: Any, body: Any, code: str, field: str) -> None:
    assert list(problem(post(signed_in(alice), SUBSCRIPTIONS, body), 400, code)["errors"]) == [field]
    assert not Subscription.objects.exists()


def test_who_may_ask_for_an_organisation(plan: Plan, lab: Organisation, alice: Any, bob: Any, make_user: Any) -> None:
    within = {"plan": "typhoon", "organisation": str(lab.uuid)}
    whole = {**within, "whole_organisation": True}
    by = {name: signed_in(type(bob).objects.get(pk=name)) for name in ("alice", "bob", "bill", "vera", "mallory")}
    assert post(by["bob"], SUBSCRIPTIONS, within).json()["organisation"] == str(lab.uuid)
    problem(post(by["bob"], SUBSCRIPTIONS, whole), 403, "permission_denied")
    problem(post(by["bill"], SUBSCRIPTIONS, within), 403, "permission_denied")
    for name in ("vera", "mallory"):
        for body in (within, whole):
            unknown = {**body, "organisation": NOBODYS}
            assert problem(post(by[name], SUBSCRIPTIONS, body), 400, "bad_input") == problem(
                post(by[name], SUBSCRIPTIONS, unknown), 400, "bad_input"
            )
    assert post(by["bill"], SUBSCRIPTIONS, whole).json()["user"] is None
    assert Subscription.objects.count() == 2


# --- whose ----------------------------------------------------------------------------
def test_somebody_elses_is_as_absent_as_none(plan: Plan, alice: Any, bob: Any, finance: Any, auditor: Any) -> None:
    row = post(signed_in(alice), SUBSCRIPTIONS, {"plan": "typhoon"}).json()
    browser = signed_in(bob)
    for ask in (browser.get, lambda path: post(browser, f"{path}/cancel", {})):
        there, nowhere = (ask(f"{SUBSCRIPTIONS}/{each}") for each in (row["id"], NOBODYS))
        assert problem(there, 404, "not_found") == problem(nowhere, 404, "not_found")
    assert ids(browser.get(SUBSCRIPTIONS)) == []
    assert ids(signed_in(auditor).get(SUBSCRIPTIONS)) == [row["id"]]
    problem(post(signed_in(auditor), f"{SUBSCRIPTIONS}/{row['id']}/cancel", {}), 403, "permission_denied")
    assert post(signed_in(finance), f"{SUBSCRIPTIONS}/{row['id']}/cancel", {}).status_code == 200


def test_a_member_reads_what_the_organisation_holds_and_only_its_managers_end_it(
    open_plan: Plan, lab: Organisation, alice: Any, bob: Any
) -> None:
    body = {"plan": "basic", "organisation": str(lab.uuid), "whole_organisation": True}
    row = post(signed_in(alice), SUBSCRIPTIONS, body).json()
    path = f"{SUBSCRIPTIONS}/{row['id']}"
    assert signed_in(bob).get(path).status_code == 200
    problem(post(signed_in(bob), f"{path}/cancel", {}), 403, "permission_denied")
    assert post(signed_in(alice), f"{path}/cancel", {"reason": "too dear"}).json()["status"] == "canceled"


def test_canceling_twice_changes_nothing_and_what_ran_out_is_a_conflict(plan: Plan, alice: Any) -> None:
    browser = signed_in(alice)
    path = f"{SUBSCRIPTIONS}/{post(browser, SUBSCRIPTIONS, {'plan': 'typhoon'}).json()['id']}"
    approve_subscription(actor=FIN, subscription=Subscription.objects.get())
    first, second = (post(browser, f"{path}/cancel", {"reason": "done"}) for _ in "ab")
    assert first.json() == second.json()
    Subscription.objects.update(status="expired")
    problem(post(browser, f"{path}/cancel", {}), 409, "invalid_transition")


def test_the_number_of_statements_does_not_grow_with_the_page(
    make_user: Any, finance: Any, plan: Plan, lab: Organisation, django_assert_max_num_queries: Any
) -> None:
    for place in range(12):
        Subscription.objects.create(plan=plan, user=make_user(f"u{place}"), organisation=lab, currency="THB")
    browser = signed_in(finance)
    with django_assert_max_num_queries(9):
        assert len(ids(browser.get(SUBSCRIPTIONS))) == 12
    with django_assert_max_num_queries(9):
        browser.get(PLANS)


def test_a_projects_key_reads_the_subscriptions_and_models_of_its_organisation(db: None) -> None:
    """A gateway finds out by itself what it may call, and on which subscription it counts."""
    from accounts.services.api_keys import issue_key
    from core.context import SYSTEM
    from tests.factories import make_project

    project, other = make_project(), make_project("Other institute")
    secret = AiModel.objects.create(id="secret", name="Secret", restricted=True)
    plan = Plan.objects.create(code="gate", name="Gate", ai_model=secret)
    mine, _theirs = (
        Subscription.objects.create(
            organisation=each.organisation, plan=plan, currency="THB", status=SubscriptionStatus.ACTIVE
        )
        for each in (project, other)
    )
    key = issue_key(actor=SYSTEM, name="x", scopes=["usage:read"], project=project).secret

    def read(path: str) -> list[str]:
        answer = Client().get(f"/api/v1/{path}", HTTP_AUTHORIZATION=f"Bearer {key}")
        assert answer.status_code == 200, answer.content
        return [str(each.get("id") or each.get("uuid")) for each in answer.json()["results"]]

    assert read("subscriptions") == [str(mine.uuid)]
    assert "secret" in read("models")
    secret_only = issue_key(actor=SYSTEM, name="x", scopes=["events:write"], project=project).secret
    refused = Client().get("/api/v1/models", HTTP_AUTHORIZATION=f"Bearer {secret_only}")
    assert refused.json()["code"] == "scope_missing"


def test_who_asks_alone_may_have_what_is_free(alice: Any) -> None:
    from datetime import date
    from decimal import Decimal

    from django.test import Client

    from subscriptions.models import Plan, PlanPrice, Subscription

    free = Plan.objects.create(code="free", name="Free", requires_approval=False)
    paid = Plan.objects.create(code="paid", name="Paid", requires_approval=False)
    PlanPrice.objects.create(plan=paid, billing_cycle="monthly", amount=Decimal(10), currency="THB",
                             effective_from=date(2020, 1, 1), set_by="fin")  # fmt: skip
    client = Client()
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    answers = [
        client.post("/api/v1/subscriptions", {"plan": each.code}, content_type="application/json")
        for each in (free, paid)
    ]
    assert [each.status_code for each in answers] == [201, 409]
    assert answers[1].json()["code"] == "needs_organisation"
    assert Subscription.objects.count() == 1
