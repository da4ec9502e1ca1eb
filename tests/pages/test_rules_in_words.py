"""What breaks a rule of the database is told in a sentence that names the field, never by the name of the rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import CheckConstraint, F, Model, Q, UniqueConstraint
from django.test import Client, RequestFactory
from django.utils import translation

from core.console.worded import is_worded
from tests.pages.conftest import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(superuser: Any) -> Client:
    client = Client()
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


def fields_of(condition: Any) -> set[str]:
    if not isinstance(condition, Q):
        return {each.name.partition("__")[0] for each in condition.flatten() if isinstance(each, F)}
    found: set[str] = set()
    for child in condition.children:
        if isinstance(child, tuple):
            found.add(child[0].partition("__")[0])
            found |= fields_of(child[1]) if hasattr(child[1], "flatten") else set()
        else:
            found |= fields_of(child)
    return found


def console_forms(superuser: Any) -> Iterator[tuple[type[Model], Any]]:
    """Every form of the console that writes rows of a model, and of those that stand below another."""
    request = RequestFactory().get("/admin/")
    request.user = superuser
    for model, pages in admin.site._registry.items():
        adds = pages.has_add_permission(request)
        if "add_view" in type(pages).__dict__ or not (adds or pages.has_change_permission(request)):
            continue  # a page of its own, or none
        yield model, pages.get_form(request, None if adds else model(), change=not adds)
        for inline in pages.get_inline_instances(request):
            yield inline.model, inline.get_formset(request).form


def test_every_rule_that_a_console_form_can_break_has_its_words(superuser: Any) -> None:
    looked_at, silent = 0, set()
    for model, form in console_forms(superuser):
        for rule in model._meta.constraints:
            if isinstance(rule, UniqueConstraint) and rule.condition is None:
                continue  # Django names the fields: "Project with this Organisation and Name already exists."
            names = fields_of(rule.condition) | set(getattr(rule, "fields", ()))
            offered = len(names) == 1 and bool(model._meta.get_field(next(iter(names))).choices)  # type: ignore[union-attr]
            if names <= set(form.base_fields) and not offered:
                looked_at += 1
                silent |= set() if is_worded(rule) else {rule.name}
    assert silent == set()
    assert looked_at > 10


@pytest.mark.parametrize(
    ("where", "sent", "words"),
    [
        ("billing/discount", {}, "Per cent and amount: fill in one of them, not both."),
        ("billing/discount", {"percent": "5", "amount": "5"}, "Per cent and amount: fill in one of them, not both."),
        ("billing/discount", {"percent": "0"}, "Per cent: give more than 0 and at most 100."),
        ("billing/exchangerate", {"base_currency": "THB", "target_currency": "THB"}, "choose two different currencies"),
        ("billing/exchangerate", {"rate": "-1"}, "Exchange rate: give more than 0."),
        ("billing/taxrate", {"category": "S", "rate": "0"}, "more than 0 and at most 100 where tax is due"),
        ("billing/taxrule", {"kind": "jobs", "metric_name": "x"}, "choose one of them, or none for everything"),
        ("billing/pricingplan", {"minimum_charge": "-1"}, "Minimum charge: give 0 or more; 0 is none."),
    ],
)
def test_a_form_that_misses_more_than_one_thing_says_each_in_words(
    console: Client, where: str, sent: dict[str, str], words: str
) -> None:
    """The services look at whole forms; of one that is not whole, the rules of the database are all there is."""
    steps = {f"steps-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    page = text(console.post(f"/admin/{where}/add/", {**steps, **sent}))
    assert "is violated" not in page
    assert "This field is required" in page
    assert words in page


def test_the_words_are_those_of_the_readers_language(console: Client) -> None:
    console.cookies["django_language"] = "th"
    page = text(console.post("/admin/billing/discount/add/", {}))
    assert "is violated" not in page
    with translation.override("th"):
        assert translation.gettext("Per cent and amount: fill in one of them, not both.") in page


def test_a_rule_without_words_is_told_as_django_tells_it() -> None:
    rule = CheckConstraint(condition=Q(pk=1), name="some_rule")
    assert rule.get_violation_error_message() == "Constraint “some_rule” is violated."
