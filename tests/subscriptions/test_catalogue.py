"""The AI models of a site and their dated prices."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from audit.models import AuditLog
from core.errors import BadInput, Conflict
from subscriptions.models import AiModel, AiModelPrice
from subscriptions.services.catalogue import ModelPrices, change_model, create_model, set_price
from tests.races import at_once
from tests.subscriptions.conftest import FIN, PRICES

pytestmark = pytest.mark.django_db


def prices(given: str, answered: str, **more: Any) -> ModelPrices:
    return ModelPrices(Decimal(given), Decimal(answered), more.pop("currency", "THB"), **more)


def shown(model: AiModel) -> tuple[Any, ...]:
    row = AiModel.objects.get(pk=model.pk)
    return row.input_price_per_1k, row.output_price_per_1k, row.currency


def test_a_model_is_made_with_its_prices_and_both_are_audited(model: AiModel) -> None:
    assert shown(model) == (Decimal("0.1"), Decimal("0.4"), "THB")
    assert model.name == "typhoon-2"
    actions = list(
        AuditLog.objects.filter(action__startswith="ai_").order_by("id").values_list("action", "actor", "entity_id")
    )
    assert actions == [("ai_model_price", "fin", "typhoon-2"), ("ai_model_create", "fin", "typhoon-2")]


def test_a_second_of_that_name_is_refused(model: AiModel) -> None:
    with pytest.raises(Conflict):
        create_model(actor=FIN, id="typhoon-2")
    assert AuditLog.objects.filter(action="ai_model_create").count() == 1


@pytest.mark.parametrize("name", ["", " gpt", "gpt ", "a\nb", "a\0b", "x" * 256])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput):
        create_model(actor=FIN, id=name)
    assert not AiModel.objects.exists()


def test_a_change_is_told_with_old_and_new_and_none_is_not_told(model: AiModel) -> None:
    assert change_model(actor=FIN, model=model, restricted=True, name="Typhoon 2")
    assert not change_model(actor=FIN, model=model, restricted=True, name="Typhoon 2")
    (told,) = AuditLog.objects.filter(action="ai_model_change")
    assert told.changes == {"restricted": [False, True], "name": ["typhoon-2", "Typhoon 2"]}
    with pytest.raises(TypeError):
        change_model(actor=FIN, model=model, input_price_per_1k=Decimal(0))


# --- prices ---------------------------------------------------------------------------
def test_a_new_price_is_added_and_the_old_one_stays(model: AiModel) -> None:
    set_price(actor=FIN, model=model, prices=prices("0.2", "0.5", reasoning=Decimal("0.7")))
    assert shown(model) == (Decimal("0.2"), Decimal("0.5"), "THB")
    rows = AiModelPrice.objects.order_by("effective_from")
    assert [(row.input_per_1k, row.reasoning_per_1k) for row in rows] == [
        (Decimal("0.1"), None), (Decimal("0.2"), Decimal("0.7")),
    ]  # fmt: skip
    told = AuditLog.objects.filter(action="ai_model_price").latest("id").changes
    assert {name: [value and Decimal(value) for value in pair] for name, pair in told.items()} == {
        "input_per_1k": [Decimal("0.1"), Decimal("0.2")], "output_per_1k": [Decimal("0.4"), Decimal("0.5")],
        "reasoning_per_1k": [None, Decimal("0.7")],
    }  # fmt: skip


def test_a_price_to_come_shows_when_its_moment_has_come_and_not_before(model: AiModel) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    set_price(actor=FIN, model=model, prices=prices("9", "9", currency="USD"), effective_from=tomorrow)
    call_command("sync_model_prices")
    assert shown(model)[0] == Decimal("0.1")
    with time_machine.travel(tomorrow + timedelta(seconds=1), tick=False):
        call_command("sync_model_prices", "--dry-run")
        assert shown(model)[0] == Decimal("0.1")
        call_command("sync_model_prices")
    assert shown(model) == (Decimal(9), Decimal(9), "USD")


def test_prices_do_not_begin_in_the_past_but_the_first_may(model: AiModel) -> None:
    yesterday = timezone.now() - timedelta(days=1)
    with pytest.raises(BadInput):
        set_price(actor=FIN, model=model, prices=PRICES, effective_from=yesterday)
    other = create_model(actor=FIN, id="new")
    set_price(actor=FIN, model=other, prices=PRICES, effective_from=yesterday)
    assert shown(other)[0] == Decimal("0.1")


def test_two_prices_from_one_moment_are_refused(model: AiModel) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    set_price(actor=FIN, model=model, prices=PRICES, effective_from=tomorrow)
    with pytest.raises(BadInput):
        set_price(actor=FIN, model=model, prices=PRICES, effective_from=tomorrow)


@pytest.mark.parametrize(
    "odd",
    [
        prices("-1", "1"), prices("NaN", "1"), prices("Infinity", "1"), prices("1", "1000000"),
        prices("0.0000000001", "1"), prices("1", "1", currency="baht"), prices("1", "1", currency="thb"),
        prices("1", "1", cached_input=Decimal(-1)), prices("0", "0"),
    ],
)  # fmt: skip
def test_odd_prices_are_refused_and_nought_is_one_of_them(model: AiModel, odd: ModelPrices) -> None:
    with pytest.raises(BadInput):
        set_price(actor=FIN, model=model, prices=odd)
    assert AiModelPrice.objects.count() == 1


def test_nought_is_taken_when_it_is_said_to_be_meant(model: AiModel) -> None:
    set_price(actor=FIN, model=model, prices=prices("0", "0"), free=True)
    assert shown(model) == (0, 0, "THB")


def test_the_smallest_and_the_largest_price_are_kept_to_the_last_digit(model: AiModel) -> None:
    set_price(actor=FIN, model=model, prices=prices("0.000000001", "999999.999999999"))
    row = AiModelPrice.objects.latest("effective_from")
    assert (row.input_per_1k, row.output_per_1k) == (Decimal("0.000000001"), Decimal("999999.999999999"))


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_add_one_model_at_once_one_does() -> None:
    def add(place: int) -> bool:
        try:
            create_model(actor=FIN, id="raced", prices=PRICES)
        except Conflict:
            return False
        return True

    assert sorted(at_once(10, add)) == [False] * 9 + [True]
    assert AiModelPrice.objects.count() == 1
