"""Names are one line of text wherever they are given; a control character in one could forge what stands around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import Organisation, Project, Tier
from accounts.services.api_keys import issue_key
from accounts.services.organisations import (
    change_organisation,
    change_project,
    create_organisation,
    create_project,
)
from accounts.services.webhooks import create_endpoint
from core.context import SYSTEM
from core.errors import BadInput
from core.lines import is_line, is_seen
from subscriptions.models import Plan
from subscriptions.services.catalogue import change_model, create_model
from tests.factories import make_project
from usage.models import Meter
from usage.services.alert_rules import change_rule, create_rule

WRONG = [
    "a\nb", "a\rb", "a\x00b", "a\x1b[31m", "a\tb", "a\x7f", "a\x85b", "a\u2028b", "a\u202eb", "\u202ba", "a\u2066b", "\u2069",
]  # fmt: skip
UNSEEN = ["\u200b\u200d", "\ufeff", "\u3164", "\u2800\u00a0", "\u2060\u00ad", "\U000e0041", "\u115f\u034f"]


@pytest.mark.parametrize("text", ["", "Faculty of Science", "คณะวิทยาศาสตร์", "a\u200bb", "e\u0301", "👩‍🔬"])
def test_words_of_any_language_are_lines(text: str) -> None:
    assert is_line(text)


@pytest.mark.parametrize("text", WRONG)
def test_breaks_and_control_characters_are_not(text: str) -> None:
    assert not is_line(text)


@pytest.mark.parametrize("text", UNSEEN)
def test_what_shows_nothing_is_not_seen(text: str) -> None:
    assert is_line(text)
    assert not is_seen(text)


@pytest.mark.parametrize("text", ["a", "๑", "\u200bก", "é", "👩‍🔬", "-", "\u200e\u05d0"])
def test_what_shows_anything_is(text: str) -> None:
    assert is_seen(text)


def rule(name: str, **more: Any) -> Any:
    fields = {
        "alert_type": "usage_threshold",
        "metric_name": "cpu_hours",
        "threshold_value": Decimal(1),
        "username": "alice",
    }
    return create_rule(actor=SYSTEM, name=name, **{**fields, "recipient_email": "a@b.example", **more})


SERVICES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "a new organisation": ("name", lambda text: create_organisation(actor=SYSTEM, name=text)),
    "a renamed organisation": ("name", lambda text: change_organisation(
        actor=SYSTEM, organisation=make_project("Old").organisation, changes={"name": text})),
    "a new project": ("name", lambda text: create_project(
        actor=SYSTEM, organisation=make_project("Old").organisation, name=text)),
    "a renamed project": ("name", lambda text: change_project(
        actor=SYSTEM, project=make_project("Old"), changes={"name": text})),
    "a key": ("name", lambda text: issue_key(
        actor=SYSTEM, name=text, scopes=["events:write"], project=make_project("Old"))),
    "a webhook": ("description", lambda text: create_endpoint(
        actor=SYSTEM, url="https://hooks.example/", description=text, organisation=make_project("Old").organisation)),
    "an alert": ("name", rule),
    "a renamed alert": ("name", lambda text: change_rule(actor=SYSTEM, rule=rule("fine"), name=text)),
    "the metric of an alert": ("metric_name", lambda text: rule("fine", metric_name=text)),
    "a model": ("name", lambda text: create_model(actor=SYSTEM, id="m", name=text)),
    "the provider of a model": ("provider", lambda text: change_model(
        actor=SYSTEM, model=create_model(actor=SYSTEM, id="m"), provider=text)),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("what", SERVICES)
@pytest.mark.parametrize("text", ["a\nb", "a\x1b[31mb", "a\u2028b", "\u202ea"])
def test_services_refuse_them_by_field(what: str, text: str) -> None:
    field, act = SERVICES[what]
    with pytest.raises(BadInput) as refused:
        act(text)
    assert refused.value.details["field"] == field
    assert "one line" in refused.value.message or field == "metric_name"


@pytest.mark.django_db
@pytest.mark.parametrize("what", SERVICES)
def test_services_refuse_what_cannot_be_seen(what: str) -> None:
    field, act = SERVICES[what]
    with pytest.raises(BadInput) as refused:
        act("\u200b\u200d")
    assert refused.value.details["field"] == field
    assert "can be seen" in refused.value.message or field == "metric_name"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("row", "field"),
    [
        (Plan(code="p"), "name"), (Plan(code="p", name="P"), "name_th"), (Meter(code="m", metric_name="x"), "name"),
        (Meter(code="m", metric_name="x"), "unit"), (Tier(code="t"), "name"), (Organisation(), "name"),
        (Project(), "name"),
    ],
)  # fmt: skip
def test_the_console_refuses_them_by_field(row: Any, field: str) -> None:
    """Its forms clean the row."""
    for text, words in (("a\nb", "one line"), ("\u200b", "can be seen")):
        setattr(row, field, text)
        with pytest.raises(ValidationError) as refused:
            row.full_clean()
        assert words in str(refused.value.message_dict[field])


@pytest.mark.django_db
def test_the_api_names_the_field(finance: Any) -> None:
    client, project = Client(), make_project("Old")
    client.force_login(finance)
    answer = client.patch(
        f"/api/v1/organisations/{project.organisation.uuid}", json.dumps({"name": "a\nBcc: x"}), "application/json"
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["name"])
