"""The pages of one's own subscriptions."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Organisation
from core.context import SYSTEM, Actor
from subscriptions.models import AiModel, Plan, Subscription, SuspendedFor
from subscriptions.services.subscriptions import (
    approve_subscription,
    deny_subscription,
    request_subscription,
    resume_subscription,
    suspend_subscription,
)
from tests.pages.conftest import read, text
from tests.pages.test_markup import test_pages_can_be_read_aloud as read_aloud
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db
HOME, NEW = "/subscriptions/", "/subscriptions/new/"
STEP_2 = {"plan": "typhoon", "holder": "me", "billing_cycle": "monthly"}


@pytest.fixture
def pending(plan: Plan, alice: Any) -> Subscription:
    return request_subscription(actor=Actor("alice"), plan=plan, user=alice, reason="thesis")


def page_of(row: Subscription, more: str = "") -> str:
    return f"/subscriptions/{row.uuid}/{more}"


def test_a_stranger_is_sent_to_sign_in(client: Any, pending: Subscription) -> None:
    for path in (HOME, NEW, page_of(pending)):
        assert client.get(path)["Location"] == f"/accounts/login/?next={path}"


def test_an_empty_list_says_what_it_is_for(as_alice: Any, plan: Plan) -> None:
    assert "No subscriptions yet" in text(as_alice.get(HOME))
    Plan.objects.update(is_active=False)
    words = text(as_alice.get(HOME))
    assert "no plan to subscribe to" in words
    assert "Request a plan" not in words
    assert "No plans" in text(as_alice.get(NEW))


def test_a_plan_is_asked_for_in_two_steps(as_alice: Any, plan: Plan, open_plan: Plan, model: AiModel) -> None:
    first = text(as_alice.get(NEW))
    assert "1,000,000 tokens a month" in first
    assert "when it is approved" in first
    second = as_alice.get(NEW, STEP_2)
    assert "1,000 input tokens 0.10, 1,000 output tokens 0.40 THB" in text(second)
    assert not Subscription.objects.exists()
    answer = as_alice.post(NEW, {**STEP_2, "reason": "thesis"}, follow=True)
    row = Subscription.objects.get()
    assert answer.redirect_chain == [(page_of(row), 302)]
    words = text(answer)
    assert "waiting for approval" in words
    assert "Subscription requested thesis" in words
    assert "waiting for approval" in text(as_alice.get(HOME))


def test_one_that_needs_no_approval_begins(as_alice: Any, quick_plan: Plan) -> None:
    assert "Begin now" in text(as_alice.get(NEW, {**STEP_2, "plan": "med"}))
    words = text(as_alice.post(NEW, {**STEP_2, "plan": "med"}, follow=True))
    assert "you can use it now" in words
    assert "on trial" in words


def test_asking_twice_is_told_in_words(as_alice: Any, pending: Subscription) -> None:
    words = text(as_alice.post(NEW, STEP_2, follow=True))
    assert "alice has a subscription to Typhoon already." in words
    assert Subscription.objects.count() == 1


@pytest.mark.parametrize("odd", [{"plan": "none"}, {"holder": "organisation:x"}, {"billing_cycle": "daily"}])
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_not_offered_is_refused(as_alice: Any, plan: Plan, odd: dict[str, str], method: str) -> None:
    answer = getattr(as_alice, method)(NEW, {**STEP_2, **odd})
    assert answer.status_code == 400
    assert "Choose one of those that are offered." in text(answer)
    assert not Subscription.objects.exists()


def test_nobody_asks_for_an_organisation_of_others(as_bob: Any, plan: Plan, lab: Organisation) -> None:
    assert as_bob.post(NEW, {**STEP_2, "holder": f"organisation:{lab.uuid}"}).status_code == 400
    as_bob.post(NEW, {**STEP_2, "holder": f"member:{lab.uuid}"})
    assert Subscription.objects.get().holder == "Lab / bob"


def test_somebody_elses_is_as_absent_as_none(as_bob: Any, as_finance: Any, pending: Subscription) -> None:
    there, nowhere = as_bob.get(page_of(pending)), as_bob.get(f"/subscriptions/{uuid4()}/")
    assert there.status_code == nowhere.status_code == 404
    assert text(there) == text(nowhere)
    assert as_bob.post(page_of(pending, "cancel/")).status_code == 404
    assert "Typhoon" not in text(as_bob.get(HOME))
    assert as_finance.get(page_of(pending)).status_code == 200
    assert as_finance.post(page_of(pending, "cancel/")).status_code == 404, "that is done in the console"
    pending.refresh_from_db()
    assert pending.status == "pending"


def test_canceling_asks_first_and_happens_once(as_alice: Any, pending: Subscription) -> None:
    approve_subscription(actor=FIN, subscription=pending)
    assert "Cancel this subscription?" in text(as_alice.get(page_of(pending)))
    assert as_alice.get(page_of(pending, "cancel/")).status_code == 405
    assert "It is canceled." in text(as_alice.post(page_of(pending, "cancel/"), {"reason": "moved"}, follow=True))
    words = text(as_alice.post(page_of(pending, "cancel/"), follow=True))
    assert "It was canceled before." in words
    assert "Cancel this subscription?" not in words
    assert "Subscription canceled moved" in words


def test_a_denial_and_a_rest_say_why(as_alice: Any, pending: Subscription, open_plan: Plan, alice: Any) -> None:
    deny_subscription(actor=FIN, subscription=pending, reason="no budget")
    assert "The request was denied: no budget" in text(as_alice.get(page_of(pending)))
    other = request_subscription(actor=Actor("alice"), plan=open_plan, user=alice)
    suspend_subscription(actor=SYSTEM, subscription=other, cause=SuspendedFor.QUOTA)
    assert "Its quota is used up." in text(as_alice.get(page_of(other)))
    assert "suspended (quota used up)" in text(as_alice.get(HOME))


def test_what_was_used_up_reads_as_words_and_what_people_wrote_stands(
    as_alice: Any, pending: Subscription, alice: Any
) -> None:
    approve_subscription(actor=FIN, subscription=pending)
    suspend_subscription(actor=SYSTEM, subscription=pending, cause=SuspendedFor.QUOTA, reason="ocr.page, tokens")
    resume_subscription(actor=FIN, subscription=pending, reason="tokens")
    alice.language = "th"
    alice.save()
    page = as_alice.get(page_of(pending), headers={"Accept-Language": "th"}).content.decode()
    assert "ocr.page, โทเค็น" in page
    assert '<span class="muted small">tokens</span>' in page


@pytest.mark.parametrize("path", [HOME, NEW, f"{NEW}?plan=typhoon&holder=me&billing_cycle=monthly", "detail"])
def test_pages_carry_nothing_inline_and_can_be_read_aloud(as_alice: Any, pending: Subscription, path: str) -> None:
    address = page_of(pending) if path == "detail" else path
    page = read(as_alice.get(address))
    assert (page.styles, page.inline_scripts) == ([], [])
    read_aloud(as_alice, pending, address)


def test_lists_ask_as_little_with_more_rows(
    as_alice: Any, make_user: Any, alice: Any, model: AiModel, django_assert_max_num_queries: Any
) -> None:
    for place in range(10):
        each = Plan.objects.create(code=f"p{place}", name=f"P{place}", ai_model=model)
        each.limits.create(metric="requests", limit=place)
        request_subscription(actor=FIN, plan=each, user=alice)
    for path in (HOME, NEW, page_of(Subscription.objects.latest("id"))):
        with django_assert_max_num_queries(12):
            as_alice.get(path)
