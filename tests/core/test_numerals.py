"""Numbers are what people write as such, not all that Python reads as one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from core.api.serializers import PageQuery, StrictSerializer
from core.numerals import key_of, written
from tests.factories import make_run
from usage.models import ImportRun

ODD = [
    "1_0",
    "1__0",
    "_1",
    "1_",
    "+-5",
    "--5",
    "１２",
    "٣",
    "१",
    "1 0",
    "1,0",
    "0x1",
    "Infinity",
    "NaN",
    "²",
    "5-",
    ".",
]
TAKEN = [("5", 5), (" 5 ", 5), ("+5", 5), ("-5", -5), ("007", 7), ("๑๒", 12)]


@pytest.mark.parametrize("text", [*ODD, "1e2", "1E+2"])
def test_a_form_takes_no_text_that_only_python_reads_as_a_number(text: str) -> None:
    for field, words in ((forms.DecimalField(), "Enter a number."), (forms.IntegerField(), "Enter a whole number.")):
        with pytest.raises(ValidationError, match=words):
            field.clean(text)


@pytest.mark.parametrize(("text", "number"), TAKEN)
def test_a_form_takes_signs_noughts_and_thai_digits(text: str, number: int) -> None:
    assert forms.IntegerField().clean(text) == forms.DecimalField().clean(text) == number
    assert forms.DecimalField().clean(f"{text.strip()}.50") == Decimal(f"{number}.50")


def test_what_a_form_shows_can_be_sent_back() -> None:
    """A price of nought with nine places is 0E-9 to Python."""
    field = forms.DecimalField(max_digits=30, decimal_places=9)
    for number in (Decimal("0E-9"), Decimal("1E-9"), Decimal("1E+2"), Decimal("12.50")):
        assert field.clean(str(field.prepare_value(number))) == number


class Query(StrictSerializer):
    whole = serializers.IntegerField(required=False)
    parts = serializers.DecimalField(12, 9, required=False)
    many = serializers.ListField(child=serializers.IntegerField(), required=False)


@pytest.mark.parametrize("text", ODD)
def test_the_api_takes_none_either_in_a_body_or_a_query(text: str) -> None:
    for asked in ({"whole": text}, {"parts": text}, {"many": [1, text]}):
        query = Query(data=asked)
        assert not query.is_valid()
        assert set(query.errors) == set(asked)
    assert not PageQuery(data={"limit": text}).is_valid()


@pytest.mark.parametrize("number", [10, 2.5, "2.5", "1E-7", 1e-7, "1e2", "-1"])
def test_programs_may_write_small_decimals_with_an_exponent(number: Any) -> None:
    query = Query(data={"parts": number})
    assert query.is_valid(), query.errors
    assert query.validated_data["parts"] == Decimal(str(number))
    assert not Query(data={"whole": "1e2"}).is_valid()


@given(st.text(alphabet="0123456789+-._eE ๕１٣", max_size=8))
def test_what_is_taken_is_what_it_says(text: str) -> None:
    try:
        plain = written(text)
    except ValueError:
        return
    assert plain.isascii()
    assert Decimal(plain) == Decimal(text.strip())
    assert not set("eE_１٣") & set(text)


@pytest.mark.parametrize("text", ["", "-1", "1_0", "１", "๑", "²", "1" * 19, " 1"])
def test_a_key_is_ascii_digits_and_fits_a_column(text: str) -> None:
    assert key_of(text) is None
    assert key_of("10") == 10


@pytest.mark.parametrize("page", ["1_0", "１", "1e0", "x", None])
def test_a_page_that_is_no_number_is_the_first(page: Any) -> None:
    assert Paginator(range(100), 5).get_page(page).number == 1
    assert Paginator(range(100), 5).get_page("10").number == 10


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["1_0", "１0", "๑๐", "+10", " 10", "10.0", "-10", "1e1"])
def test_a_choice_among_rows_is_its_key_as_the_form_wrote_it(key: str) -> None:
    make_run()
    ImportRun.objects.update(id=10)
    field = forms.ModelChoiceField(ImportRun.objects.all())
    assert field.clean("10").pk == 10
    with pytest.raises(ValidationError, match="not one of the available choices"):
        field.clean(key)


@pytest.mark.django_db
def test_a_console_address_with_an_odd_number_leads_to_no_row(client: Any, superuser: Any) -> None:
    """``1_0`` would be row 10."""
    make_run()
    ImportRun.objects.update(id=10)
    client.force_login(superuser)
    assert client.get("/admin/usage/importrun/10/change/").status_code == 200
    assert client.get("/admin/usage/importrun/1_0/change/").status_code == 302
