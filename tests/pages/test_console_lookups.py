"""A list of the console can be asked by its address for what it shows, and for nothing else: whether a row is found would
say letter by letter what a hidden column holds."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client

from accounts.models import EmailNotification
from core.console.admin import MOST_WORDS, ConsoleAdmin

CONSOLE = sorted(admin.site._registry.values(), key=lambda each: each.opts.label)
OFFERED = ("payment__provider",)  # by a filter of refunds and disputes


def test_every_list_is_one_of_ours() -> None:
    assert [each.opts.label for each in CONSOLE if not isinstance(each, ConsoleAdmin)] == []


def test_no_list_shows_a_column_otherwise_than_it_is() -> None:
    """A column that a list masks under its own name could still be asked for."""
    masked = [
        f"{each.opts.label}.{name}"
        for each in CONSOLE
        for name in each.list_display
        if name in {field.name for field in each.opts.concrete_fields} and hasattr(each, str(name))
    ]
    assert masked == ["usage.Job.state"], "that one is the same word, with its icon"


@pytest.mark.parametrize(
    ("address", "column"),
    [
        ("accounts/emailnotification", "body_text"),  # holds links that let somebody in
        ("accounts/emailnotification", "body_html"),
        ("accounts/apikey", "key_hash"),
        ("accounts/webhookendpoint", "secret"),
        ("accounts/invitation", "token_hash"),
        ("accounts/user", "password"),
        ("payments/paymentevent", "raw_payload"),
    ],
)
@pytest.mark.parametrize("how", ["startswith", "icontains", "regex", "gt", "exact", "isnull"])
def test_what_no_list_shows_cannot_be_asked_for(superuser: Any, address: str, column: str, how: str) -> None:
    client = Client()
    client.force_login(superuser)
    assert client.get(f"/admin/{address}/?{column}__{how}=1").status_code == 400


@pytest.mark.django_db
@pytest.mark.parametrize("each", CONSOLE, ids=lambda each: each.opts.label)
def test_no_list_takes_a_pattern_or_a_hidden_column(each: ConsoleAdmin, superuser: Any, rf: Any) -> None:
    request = rf.get("/")
    request.user = superuser
    shown = each._in_the_list(request)
    for field in each.opts.concrete_fields:
        assert not each.lookup_allowed(f"{field.name}__regex", "a", request)
        assert not each.lookup_allowed(f"{field.name}__iregex", "a", request)
        if not (field.name in shown or field.is_relation or field.primary_key):
            assert not each.lookup_allowed(field.name, "a", request), field.name
            assert not each.lookup_allowed(f"{field.name}__startswith", "a", request), field.name
        if field.is_relation:
            for theirs in field.related_model._meta.concrete_fields:
                if not theirs.primary_key and f"{field.name}__{theirs.name}" not in OFFERED:
                    assert not each.lookup_allowed(f"{field.name}__{theirs.name}__startswith", "a", request), theirs


def test_the_link_of_an_e_mail_cannot_be_guessed_letter_by_letter(auditor: Any) -> None:
    row = EmailNotification.objects.create(
        recipient_email="dave@example.ac.th",
        subject="s",
        kind="password_reset",
        language="en",
        body_text="/reset/MQ/abc",
    )
    client = Client()
    client.force_login(auditor)
    assert client.get(f"/admin/accounts/emailnotification/?id={row.pk}").status_code == 200
    assert client.get(f"/admin/accounts/emailnotification/?id={row.pk}&body_text__contains=abc").status_code == 400


def test_a_search_for_very_many_words_is_refused_in_words(superuser: Any) -> None:
    """Each is looked for in each column: two hundred kept PostgreSQL busy for half a minute, a thousand for ten."""
    client = Client()
    client.force_login(superuser)
    for each in CONSOLE:
        if not each.search_fields or each.opts.label == "usage.Job":  # that one looks for all of it, exactly
            continue
        where = f"/admin/{each.opts.app_label}/{each.opts.model_name}/"
        page = client.get(where, {"q": "a " * (MOST_WORDS + 1)})
        assert "At most 10 words" in page.content.decode(), where
        assert page.context["cl"].result_count == 0
        assert "At most 10 words" not in client.get(where, {"q": "a " * MOST_WORDS}).content.decode()
    asked = {"app_label": "billing", "model_name": "receipt", "field_name": "user", "term": "a " * (MOST_WORDS + 1)}
    assert client.get("/admin/autocomplete/", asked).json()["results"] == []
    assert "At most" not in client.get("/admin/").content.decode(), "nor is it told on the page after"
