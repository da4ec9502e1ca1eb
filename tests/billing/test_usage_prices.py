"""Prices of usage: added and never changed, without a gap or an overlap between one and the next."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from accounts.models import Organisation
from audit.models import AuditLog
from billing.charging import Step
from billing.models import Invoice, InvoiceLine, PricingPlan
from billing.selectors.pricing.usage_prices import charge_by, prices_for
from billing.services.pricing.price_checks import NewPrice
from billing.services.pricing.usage_prices import create_price, end_price, switch_off_price
from core.context import Actor
from core.errors import BadInput, Conflict
from tests.races import at_once

pytestmark = pytest.mark.django_db
D = Decimal
FIN = Actor("fin")
OCT, NOV, DEC = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)
STORAGE = NewPrice("storage", "THB", OCT, price_per_unit=D("1.5"))
STEPS = (Step(D(100), D(1)), Step(None, D("0.5"), D(10)))
STEPPED = replace(STORAGE, charge_model="graduated", price_per_unit=None, steps=STEPS)


@pytest.fixture
def lab() -> Organisation:
    return Organisation.objects.create(name="Lab")


def put(price: NewPrice = STORAGE, **changes: Any) -> PricingPlan:
    return create_price(actor=FIN, price=replace(price, **changes))


def invoice(
    plan: PricingPlan, month: date, owner: Organisation, status: str = "finalized", metric: str = ""
) -> Invoice:
    """As a run would leave it: one line by this price."""
    number = f"IV-{owner.pk}-{month:%Y%m}"
    document = Invoice.objects.create(
        organisation=owner, year=month.year, month=month.month, currency="THB", created_by="system", invoice_number=number,
        issue_date=month, due_date=month,
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=document, line_number=1, kind="usage", description="x", pricing_plan=plan, quantity=1, total=1, net=1,
        metric_name=metric or plan.metric_name, currency="THB",
    )  # fmt: skip
    Invoice.objects.filter(pk=document.pk).update(status=status)
    return document


def spans(**which: Any) -> list[tuple[date, date | None]]:
    rows = PricingPlan.objects.filter(is_active=True, **which).order_by("effective_from")
    return list(rows.values_list("effective_from", "effective_to"))


# --- adding ---------------------------------------------------------------------------
def test_a_price_ends_the_one_before_on_the_day_before() -> None:
    first, second = put(), put(effective_from=NOV, price_per_unit=D(2))
    assert spans() == [(OCT, date(2026, 10, 31)), (NOV, None)]
    entry = AuditLog.objects.filter(action="usage_price_create").latest("id")
    assert (entry.actor, entry.target, entry.extra["ends"]) == ("fin", "storage", first.pk)
    assert entry.changes["price_per_unit"] == ["1.5", "2"]
    assert "currency" not in entry.changes, "what stays the same is no change"
    assert second.set_by == "fin"


def test_prices_of_other_things_stand_beside_it(lab: Organisation) -> None:
    put()
    others: list[dict[str, Any]] = [
        {"organisation": lab}, {"metric_name": "gpu"}, {"unit": "GB"}, {"model_id": "typhoon"}, {"quantity": "events"},
    ]  # fmt: skip
    for other in others:
        put(**other)
    assert spans() == [(OCT, None)] * 6


def test_no_price_begins_on_or_before_the_day_of_another() -> None:
    put(effective_from=NOV)
    for day in (NOV, OCT):
        with pytest.raises(BadInput, match="There is a price from 1 Nov 2026 on already") as refusal:
            put(effective_from=day)
        assert refusal.value.details == {"field": "effective_from"}
    assert spans() == [(NOV, None)]


def test_steps_are_kept_and_charged(lab: Organisation) -> None:
    put(STEPPED)
    found = prices_for(lab, OCT).price("storage")
    assert found is not None
    assert charge_by(found, D(150)).amount == 135  # 100 x 1 + 50 x 0.5 + 10
    changes = AuditLog.objects.get(action="usage_price_create").changes
    assert changes["steps"] == [None, [["100", "1", "0"], [None, "0.5", "10"]]]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_add_the_same_price_at_once_one_wins() -> None:
    def work(place: int) -> str:
        try:
            put(price_per_unit=D(place + 1))
        except BadInput:
            return "late"
        return "set"

    assert sorted(at_once(8, work)) == ["late"] * 7 + ["set"]
    assert spans() == [(OCT, None)]


@pytest.mark.django_db(transaction=True)
def test_prices_from_different_days_at_once_never_overlap() -> None:
    def work(place: int) -> None:
        with suppress(BadInput):  # a later day was quicker
            put(effective_from=date(2026, 10, 1 + place))

    at_once(8, work)
    found = spans()
    assert found[-1] == (date(2026, 10, 8), None)
    for (_begins, last), (begins, _last) in pairwise(found):
        assert last is not None
        assert (begins - last).days == 1


# --- what a price may say -------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("metric_name", {"metric_name": " "}), ("metric_name", {"metric_name": "a\nb"}),
        ("metric_name", {"metric_name": "x" * 121}), ("unit", {"unit": " GB"}), ("model_id", {"model_id": "x" * 256}),
        ("quantity", {"quantity": "colour"}), ("charge_model", {"charge_model": "percentage"}),
        ("currency", {"currency": "baht"}), ("currency", {"currency": "ZZZ"}),
        ("effective_from", {"effective_from": date(1999, 1, 1)}),
        ("minimum_charge", {"minimum_charge": D(-1)}), ("minimum_charge", {"minimum_charge": D("0.00001")}),
        ("minimum_charge", {"minimum_charge": D(10) ** 11}),
        ("price_per_unit", {"price_per_unit": None}), ("price_per_unit", {"price_per_unit": D(-1)}),
        ("price_per_unit", {"price_per_unit": D("NaN")}), ("price_per_unit", {"price_per_unit": D("1e-10")}),
        ("price_per_unit", {"price_per_unit": D(10) ** 21}),
        ("package_size", {"package_size": D(10)}), ("package_size", {"charge_model": "package"}),
        ("package_size", {"charge_model": "package", "package_size": D(0)}),
        ("steps", {"steps": STEPS}), ("steps", {"charge_model": "package", "package_size": D(1), "steps": STEPS}),
        ("price_per_unit", {"charge_model": "volume", "steps": STEPS}),
        ("steps", {"charge_model": "volume", "price_per_unit": None}),
        *(
            ("steps", {"charge_model": "graduated", "price_per_unit": None, "steps": steps})
            for steps in (
                STEPS[:1], (STEPS[1], STEPS[1]), (Step(D(2), D(1)), Step(D(1), D(1)), STEPS[1]),
                (Step(D(2), D(1)), Step(D(2), D(1)), STEPS[1]), (Step(D(0), D(1)), STEPS[1]),
                (Step(D(-1), D(1)), STEPS[1]), (Step(D("NaN"), D(1)), STEPS[1]), (Step(None, D(-1)),),
                (Step(None, D(1), D(-1)),), (Step(None, D(1), D("0.00001")),),
                (*(Step(D(n), D(1)) for n in range(1, 102)), STEPS[1]),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_price_is_refused_by_field(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refusal:
        put(**changes)
    assert list(refusal.value.details["errors"]) == [field]  # type: ignore[call-overload]
    assert not PricingPlan.objects.exists()


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInput) as refusal:
        put(metric_name="", currency="x", price_per_unit=None)
    assert set(refusal.value.details["errors"]) == {"metric_name", "currency", "price_per_unit"}  # type: ignore[call-overload]


def test_a_price_of_nought_is_a_price(lab: Organisation) -> None:
    put(price_per_unit=D(0))
    assert prices_for(lab, OCT).price("storage") is not None


# --- what invoices rest on ------------------------------------------------------------
def test_a_month_that_is_invoiced_keeps_its_price(lab: Organisation) -> None:
    plan = put()
    invoice(plan, NOV, lab)
    for day in (date(2026, 10, 15), NOV):
        with pytest.raises(BadInput, match="has priced such usage of November 2026"):
            put(effective_from=day)
    put(effective_from=date(2026, 11, 2))
    plan.refresh_from_db()
    assert plan.effective_to == NOV


def test_drafts_and_canceled_invoices_keep_nothing(lab: Organisation) -> None:
    plan = put()
    invoice(plan, NOV, lab, status="draft")
    invoice(plan, OCT, lab, status="canceled")
    put(effective_from=NOV)
    assert spans() == [(OCT, date(2026, 10, 31)), (NOV, None)]


def test_a_price_of_ones_own_cannot_reach_into_ones_own_invoices_but_may_where_others_are_invoiced(
    lab: Organisation,
) -> None:
    other = Organisation.objects.create(name="Other")
    invoice(put(), NOV, lab)
    with pytest.raises(BadInput, match="has priced"):
        put(organisation=lab, effective_from=NOV)
    put(organisation=other, effective_from=NOV)
    put(organisation=lab, effective_from=DEC)


def test_only_usage_that_the_new_price_would_have_priced_counts(lab: Organisation) -> None:
    invoice(put(model_id="typhoon"), NOV, lab)
    put(effective_from=OCT)  # wider, so it never came before
    put(model_id="llama", effective_from=OCT)
    with pytest.raises(BadInput, match="has priced"):
        put(organisation=lab, effective_from=OCT)  # an own price comes before every general one


def test_usage_that_nobody_has_priced_is_resolved_by_a_price_from_a_day_in_the_past(lab: Organisation) -> None:
    put(effective_from=date(2024, 1, 1))
    assert prices_for(lab, date(2024, 2, 1)).price("storage") is not None


# --- ending and switching off ---------------------------------------------------------
def test_a_price_that_ends_gives_way_to_the_general_one(lab: Organisation) -> None:
    general, own = put(), put(organisation=lab)
    assert end_price(actor=FIN, plan=own, last_day=date(2026, 11, 30))
    assert prices_for(lab, NOV).price("storage") == own
    assert prices_for(lab, DEC).price("storage") == general
    assert not end_price(actor=FIN, plan=own, last_day=date(2026, 11, 30)), "again: nothing to do"
    assert AuditLog.objects.get(action="usage_price_end").changes == {"effective_to": [None, "2026-11-30"]}


def test_a_price_cannot_end_before_it_begins_nor_before_a_month_that_rests_on_it_nor_grow(lab: Organisation) -> None:
    plan = put()
    with pytest.raises(BadInput, match="from its first day to its last"):
        end_price(actor=FIN, plan=plan, last_day=date(2026, 9, 30))
    invoice(plan, NOV, lab)
    with pytest.raises(BadInput, match="rests on it for November 2026"):
        end_price(actor=FIN, plan=plan, last_day=date(2026, 10, 31))
    assert end_price(actor=FIN, plan=plan, last_day=NOV)
    with pytest.raises(BadInput, match="from its first day to its last"):
        end_price(actor=FIN, plan=plan, last_day=DEC)


def test_a_mistake_is_switched_off_and_another_price_takes_its_day(lab: Organisation) -> None:
    wrong = put(price_per_unit=D(1000))
    assert switch_off_price(actor=FIN, plan=wrong, reason="a nought too many")
    assert prices_for(lab, OCT).price("storage") is None
    assert not switch_off_price(actor=FIN, plan=wrong, reason="again")
    right = put(price_per_unit=D(100))
    assert prices_for(lab, OCT).price("storage") == right
    assert AuditLog.objects.get(action="usage_price_off").extra["reason"] == "a nought too many"
    with pytest.raises(Conflict, match="switched off"):
        end_price(actor=FIN, plan=wrong, last_day=NOV)


def test_a_price_that_an_invoice_rests_on_is_not_switched_off(lab: Organisation) -> None:
    plan = put()
    invoice(plan, OCT, lab)
    with pytest.raises(Conflict, match=r"Invoice IV-\d+-202610 rests on this price"):
        switch_off_price(actor=FIN, plan=plan, reason="x")
    with pytest.raises(BadInput, match="Say why"):
        switch_off_price(actor=FIN, plan=plan, reason=" ")
    plan.refresh_from_db()
    assert plan.is_active


def test_a_price_of_a_meter_is_known_by_its_row_whatever_the_line_calls_it(lab: Organisation) -> None:
    invoice(put(metric_name="readers"), NOV, lab, metric="ocr.page")
    with pytest.raises(BadInput, match="has priced"):
        put(metric_name="readers", effective_from=NOV)
