"""The console: models with dated prices, plans with limits, subscriptions with buttons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditLog
from core.context import Actor
from subscriptions.models import AiModel, AiModelPrice, Plan, Subscription
from subscriptions.services.subscriptions import request_subscription
from tests.billing.test_api import signed_in
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db
MODELS, PLANS = "/admin/subscriptions/aimodel/", "/admin/subscriptions/plan/"
LIST = "/admin/subscriptions/subscription/"
FORM = {"name": "Typhoon", "provider": "scb10x", "description": "", "capabilities": "chat, vision",
        "context_length": "8192", "is_active": "on"}  # fmt: skip


def prices(*rows: dict[str, str], there: int = 0, model: str = "") -> dict[str, Any]:
    """The inline form: ``rows`` are added below the ones that are there."""
    data: dict[str, Any] = {"prices-TOTAL_FORMS": there + len(rows), "prices-INITIAL_FORMS": there}
    for place, row in enumerate(AiModelPrice.objects.filter(model=model).order_by("-effective_from")):
        data |= {f"prices-{place}-id": row.pk, f"prices-{place}-model": model}
    for place, row in enumerate(rows, there):
        filled = {"effective_from_0": "", "effective_from_1": "", "input_per_1k": "", "output_per_1k": "",
                  "cached_input_per_1k": "", "reasoning_per_1k": "", "currency": "THB", **row}  # fmt: skip
        data |= {f"prices-{place}-{name}": value for name, value in filled.items()}
    return data


@pytest.fixture
def as_root(superuser: Any) -> Client:
    return signed_in(superuser)


# --- models ---------------------------------------------------------------------------
def test_a_model_is_made_with_its_first_price(as_root: Client) -> None:
    data = {**FORM, "id": "scb/typhoon", **prices({"input_per_1k": "0.1", "output_per_1k": "0.25"})}
    answer = as_root.post(f"{MODELS}add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    row = AiModel.objects.get()
    assert (row.pk, row.capabilities, row.context_length) == ("scb/typhoon", ["chat", "vision"], 8192)
    assert (row.input_price_per_1k, row.output_price_per_1k, row.currency) == (Decimal("0.1"), Decimal("0.25"), "THB")
    assert {each.set_by for each in AiModelPrice.objects.all()} == {"root"}
    assert AuditLog.objects.filter(action__in=("ai_model_create", "ai_model_price"), actor="root").count() == 2


def test_a_price_is_added_and_those_before_cannot_be_touched(as_root: Client, model: AiModel) -> None:
    added = prices({"input_per_1k": "9", "output_per_1k": "9"}, there=1, model=model.pk)
    added |= {"prices-0-input_per_1k": "77", "prices-0-currency": "USD", "prices-0-DELETE": "on"}
    answer = as_root.post(f"{MODELS}typhoon-2/change/", {**FORM, **added})
    assert answer.status_code == 302, answer.context["errors"]
    found = list(AiModelPrice.objects.order_by("effective_from").values_list("input_per_1k", "currency"))
    assert found == [(Decimal("0.1"), "THB"), (Decimal(9), "THB")]
    model.refresh_from_db()
    assert (model.input_price_per_1k, model.name) == (9, "Typhoon")
    assert AuditLog.objects.get(action="ai_model_change").changes["name"] == ["typhoon-2", "Typhoon"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"input_per_1k": "0", "output_per_1k": "0"}, "Both prices are nought"),
        ({"input_per_1k": "-1", "output_per_1k": "1"}, "lies between 0 and"),
        ({"input_per_1k": "1", "output_per_1k": "1", "currency": "baht"}, "at most 3"),
        ({"input_per_1k": "1", "output_per_1k": "1", "currency": "thb"}, "Three capital letters"),
        ({"input_per_1k": "1", "output_per_1k": "1", "effective_from_0": "2020-01-01", "effective_from_1": "00:00"},
         "cannot begin in the past"),
    ],
)  # fmt: skip
def test_a_price_of_no_sense_is_refused_in_words(
    as_root: Client, model: AiModel, row: dict[str, str], words: str
) -> None:
    answer = as_root.post(f"{MODELS}typhoon-2/change/", {**FORM, **prices(row, there=1, model=model.pk)})
    assert answer.status_code == 200
    assert words in text(answer)
    assert AiModelPrice.objects.count() == 1


def test_a_price_of_nought_is_taken_with_its_box_ticked(as_root: Client, model: AiModel) -> None:
    row = {"input_per_1k": "0", "output_per_1k": "0", "free": "on"}
    assert (
        as_root.post(f"{MODELS}typhoon-2/change/", {**FORM, **prices(row, there=1, model=model.pk)}).status_code == 302
    )
    model.refresh_from_db()
    assert model.input_price_per_1k == 0


def test_odd_names_and_taken_ones_are_refused(as_root: Client, model: AiModel) -> None:
    for name in ("typhoon-2", "a\tb", ""):
        assert as_root.post(f"{MODELS}add/", {**FORM, "id": name, **prices()}).status_code == 200
    assert AiModel.objects.count() == 1


# --- plans ----------------------------------------------------------------------------
def test_a_plan_is_made_with_its_limits_and_audited(as_root: Client, model: AiModel) -> None:
    limits = {"prices-TOTAL_FORMS": 0, "prices-INITIAL_FORMS": 0, "limits-TOTAL_FORMS": 2, "limits-INITIAL_FORMS": 0,
              "limits-0-metric": "tokens", "limits-0-limit": "1000000", "limits-0-window": "month", "limits-0-is_hard": "on",
              "limits-1-metric": "requests", "limits-1-limit": "", "limits-1-window": "day"}  # fmt: skip
    data = {"code": "gold", "name": "Gold", "ai_model": model.pk, "trial_days": "0", "is_active": "on", **limits}
    answer = as_root.post(f"{PLANS}add/", data)
    assert answer.status_code == 302, answer.context["errors"]
    plan = Plan.objects.get()
    assert [(row.metric, row.limit) for row in plan.limits.all()] == [("requests", None), ("tokens", 1_000_000)]
    assert len(AuditLog.objects.get(action="object_add").changes["limits"][1]) == 2
    page = as_root.get(f"{PLANS}{plan.pk}/change/").content.decode()
    assert 'value="1000000"' in page
    bad = {**data, "code": "bad", "limits-0-limit": "-1"}
    assert as_root.post(f"{PLANS}add/", bad).status_code == 200
    assert Plan.objects.count() == 1


# --- subscriptions --------------------------------------------------------------------
@pytest.fixture
def waiting(plan: Plan, alice: Any, bob: Any) -> list[Subscription]:
    return [request_subscription(actor=Actor(user.pk), plan=plan, user=user) for user in (alice, bob)]


def act(browser: Client, name: str, rows: list[Subscription], said: str | None = None) -> Any:
    data: dict[str, Any] = {"action": name, "_selected_action": [row.pk for row in rows]}
    if said is not None:
        data |= {"confirm": "1", "text": said}
    return browser.post(LIST, data, follow=True)


def states() -> list[str]:
    return list(Subscription.objects.order_by("id").values_list("status", flat=True))


def test_several_are_approved_at_once_after_asking(finance: Any, waiting: list[Subscription]) -> None:
    browser = signed_in(finance)
    assert "Approve 2 subscriptions" in act(browser, "approve_action", waiting).content.decode()
    assert states() == ["pending", "pending"]
    assert "2 subscriptions approved." in text(act(browser, "approve_action", waiting, ""))
    assert states() == ["active", "active"]
    assert "0 subscriptions approved." in text(act(browser, "approve_action", waiting, ""))


def test_the_buttons_of_a_page_are_those_of_its_state(finance: Any, waiting: list[Subscription]) -> None:
    browser, row = signed_in(finance), waiting[0]
    address = f"{LIST}{row.pk}/change/"

    def offered() -> set[str]:
        return {name for name, _label in browser.get(address).context["page_actions"]}

    assert offered() == {"approve_action", "deny_action", "cancel_action"}
    act(browser, "approve_action", [row], "")
    assert offered() == {"suspend_action", "cancel_action"}
    act(browser, "suspend_action", [row])
    assert states()[0] == "active"
    act(browser, "suspend_action", [row], "")
    assert states()[0] == "active", "a reason is wanted"
    act(browser, "suspend_action", [row], "abuse")
    assert states()[0] == "suspended"
    assert offered() == {"suspend_action", "resume_action", "cancel_action"}
    act(browser, "resume_action", [row], "")
    assert states()[0] == "active"
    act(browser, "cancel_action", [row], "moved")
    assert (states()[0], offered()) == ("canceled", set())
    words = text(browser.get(address))
    for said in ("Subscription requested", "Subscription approved", "abuse", "Subscription resumed", "moved"):
        assert said in words


def test_a_denial_needs_a_reason_and_keeps_it(finance: Any, waiting: list[Subscription]) -> None:
    browser = signed_in(finance)
    act(browser, "deny_action", waiting, "")
    assert states() == ["pending", "pending"]
    act(browser, "deny_action", waiting, "no budget")
    assert states() == ["canceled", "canceled"]
    assert {row.changes.get(action="deny").reason for row in waiting} == {"no budget"}


@pytest.mark.parametrize("group", ["Auditor", "Operator", "Rates editor"])
def test_others_decide_nothing(make_user: Any, waiting: list[Subscription], group: str) -> None:
    browser = signed_in(make_user("other", role="admin", groups=[group]))
    for name in ("approve_action", "deny_action", "suspend_action", "resume_action", "cancel_action"):
        act(browser, name, waiting, "because")
    assert states() == ["pending", "pending"]
    seen = group == "Auditor"
    assert (browser.get(LIST).status_code == 200) == seen
    for path in (MODELS, f"{MODELS}typhoon-2/change/", PLANS, f"{PLANS}{waiting[0].plan_id}/change/"):
        assert (browser.get(path).status_code == 200) == seen
    assert browser.post(f"{MODELS}typhoon-2/change/", {**FORM, **prices()}).status_code == 403


def test_the_admin_group_decides_and_finance_looks_at_the_catalogue(
    make_user: Any, finance: Any, waiting: list[Subscription]
) -> None:
    act(signed_in(make_user("boss", role="admin", groups=["Admin"])), "approve_action", waiting, "")
    assert states() == ["active", "active"]
    assert signed_in(finance).get(f"{MODELS}typhoon-2/change/").status_code == 200
    assert signed_in(finance).post(f"{MODELS}typhoon-2/change/", {**FORM, **prices()}).status_code == 403


def test_the_front_page_counts_what_waits_for_those_who_decide(
    finance: Any, auditor: Any, waiting: list[Subscription]
) -> None:
    def number(user: Any) -> list[int]:
        found = signed_in(user).get("/admin/").context["findings"]
        return [each.number for each in found if "subscriptions" in str(each.what)]

    assert (number(finance), number(auditor)) == ([2], [])
    (line,) = (each for each in signed_in(finance).get("/admin/").context["findings"] if "subscr" in str(each.what))
    assert len(signed_in(finance).get(line.url).context["cl"].result_list) == 2
