"""What every page owes: a strict policy, both languages, one look."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.utils import translation
from django.views import defaults

from tests.pages.conftest import read, text

SITE = [
    "/", "/usage/", "/usage/?view=aggregate", "/usage/?view=billed", "/usage/?q=zzz", "/receipts/", "/receipts/new/",
    "/receipts/new/?start=&end=", "/receipts/{pk}/", "/playground/", "/playground/?view=script", "/accounts/password/", "/payments/thanks?rid={pk}", "/verify/",
    "/verify/?number=RC2027-000001&hash=x", "/projects/", "/organisations/", "/subscriptions/", "/subscriptions/new/",
]  # fmt: skip
CONSOLE = ["/admin/", "/admin/usage/job/", "/admin/billing/receipt/", "/admin/audit/auditlog/", "/admin/accounts/user/"]
# Words that stay as they are in Thai: names, codes, units, the other language's own name.
KEPT = {
    "English", "Asia", "Bangkok", "API", "CSV", "XLSX", "PDF", "SHA", "CPU", "GPU", "Slurm", "UTC", "THB", "HPC", "Billing", "GB", "COMPLETED", "PENDING", "RUNNING",
    "SBATCH", "sbatch", "zzz", "alice", "fin", "root", "physics", "ministry", "normal", "lattice", "census", "tools", "verify", "chain",
}  # fmt: skip
STATIC = Path(project.BASE_DIR) / "static" / "hpcbilling"


@pytest.fixture
def signed_in(client: Any, superuser: Any, receipt: Any) -> Any:
    client.force_login(superuser, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("path", SITE)
def test_pages_carry_a_strict_policy_and_nothing_inline(as_alice: Any, receipt: Any, path: str) -> None:
    response = as_alice.get(path.format(pk=receipt.pk))
    assert response.status_code == 200
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    page = read(response)
    assert (page.styles, page.inline_scripts) == ([], [])


@pytest.mark.parametrize("path", CONSOLE)
def test_console_lists_carry_nothing_inline(signed_in: Any, path: str) -> None:
    page = read(signed_in.get(path))
    assert (page.styles, page.inline_scripts) == ([], [])


@pytest.mark.parametrize("path", SITE)
def test_pages_can_be_read_aloud(as_alice: Any, receipt: Any, path: str) -> None:
    """One main heading, a name for every field, a caption for every table, words beside every icon."""
    page = as_alice.get(path.format(pk=receipt.pk)).content.decode()
    assert page.count("<h1") == 1
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels)), levels
    labelled = set(re.findall(r'<label for="([^"]+)"', page))
    fields = re.findall(r"<(?:input|select|textarea)[^>]*>", page)
    shown = [field for field in fields if 'type="hidden"' not in field]
    assert {match[1] for field in shown if (match := re.search(r' id="([^"]+)"', field))} == labelled
    assert page.count("<table") == page.count("<caption")
    assert all('aria-hidden="true"' in icon or "role=" in icon for icon in re.findall(r"<svg[^>]*>", page))


def english_left(words: str) -> set[str]:
    return {word for word in re.findall(r"[A-Za-z]{3,}", words) if word not in KEPT}


@pytest.mark.parametrize("path", SITE)
def test_thai_pages_are_thai_to_the_last_word(as_alice: Any, receipt: Any, path: str) -> None:
    as_alice.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    response = as_alice.get(path.format(pk=receipt.pk))
    assert '<html lang="th">' in response.content.decode()
    # What people typed (reasons, rule patterns, notes on rates) stays in their words.
    words = text(response)
    for typed in (receipt.rate_version.note, "password", "physics*", "ministry"):
        words = words.replace(typed, "") if typed else words
    assert english_left(words) == set()


def test_days_and_money_follow_the_language(as_alice: Any, receipt: Any) -> None:
    url = f"/receipts/{receipt.pk}/"
    year = receipt.created_at.year
    assert f"{year}," in text(as_alice.get(url))
    as_alice.cookies[project.LANGUAGE_COOKIE_NAME] = "th"
    words = text(as_alice.get(url))
    assert str(year + 543) in words
    assert "฿ 8.00" in words


def test_the_language_switch_returns_to_the_same_address(as_alice: Any, receipt: Any) -> None:
    response = as_alice.post("/i18n/setlang/", {"language": "th", "next": "/usage/?period=all"}, follow=True)
    assert response.redirect_chain == [("/usage/?period=all", 302)]
    assert '<html lang="th">' in response.content.decode()


@pytest.mark.parametrize("language", ["en", "th"])
def test_error_pages_are_our_own(client: Any, db: None, settings: Any, language: str) -> None:
    client.cookies[project.LANGUAGE_COOKIE_NAME] = language
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "hpcbilling/site.css" in response.content.decode()
    with translation.override(language):
        assert translation.gettext("This page does not exist") in text(response)


@pytest.mark.parametrize("language", ["en", "th"])
@pytest.mark.parametrize("view", [defaults.server_error, defaults.bad_request])
def test_broken_requests_get_a_page_that_needs_nothing_but_itself(rf: Any, language: str, view: Any) -> None:
    with translation.override(language):
        response = view(rf.get("/")) if view is defaults.server_error else view(rf.get("/"), Exception())
        assert f'<html lang="{language}">' in response.content.decode()
        assert translation.gettext("To the front page") in text(response)
    assert read(response).styles == []


@pytest.mark.parametrize("language", ["en", "th"])
def test_a_broken_page_names_the_request_for_the_operators(client: Any, settings: Any, language: str) -> None:
    """The real way: a view that raises, through every middleware."""
    settings.ROOT_URLCONF = "tests.pages.broken"
    client.raise_request_exception = False
    client.cookies[project.LANGUAGE_COOKIE_NAME] = language
    response = client.get("/broken/", headers={"X-Request-ID": "look-for-me-1"})
    assert response.status_code == 500
    assert f'<html lang="{language}">' in response.content.decode()
    assert "look-for-me-1" in text(response)
    assert read(response).styles == []


@pytest.mark.parametrize("language", ["en", "th"])
def test_a_right_that_is_missing_says_whose_it_is(as_alice: Any, language: str) -> None:
    as_alice.cookies[project.LANGUAGE_COOKIE_NAME] = language
    response = as_alice.get("/formula?type=nothing")
    assert response.status_code == 404  # a machine's address answers machines
    with translation.override(language):
        page = defaults.permission_denied(response.wsgi_request, Exception())
        assert page.status_code == 403
        assert "alice" in text(page)
        assert translation.gettext("What to do now") in text(page)


@pytest.mark.parametrize("language", ["en", "th"])
def test_too_many_attempts_say_how_long_to_wait(client: Any, alice: Any, settings: Any, language: str) -> None:
    settings.AUTH_THROTTLE_MAX_FAILS = 1
    settings.AUTH_THROTTLE_LOCK_SEC = 300
    client.cookies[project.LANGUAGE_COOKIE_NAME] = language
    for _ in range(2):
        response = client.post("/accounts/login/", {"username": "alice", "password": "wrong"})
    assert response.status_code == 429
    assert "5" in text(response)
    with translation.override(language):
        assert translation.gettext("What to do now") in text(response)
        assert translation.gettext("Back to sign in") in text(response)


def test_an_expired_form_says_what_to_do(alice: Any) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    response = client.post("/receipts/new/", {"start": "", "end": ""})
    assert response.status_code == 403
    assert "The form has expired" in text(response)


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_site_takes_its_colours_from_the_tokens_word_for_word() -> None:
    """One stylesheet a page, and one place where colours are set; the console links the tokens themselves."""
    assert (STATIC / "site.css").read_text().startswith((STATIC / "tokens.css").read_text())


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "paper", 4.5), ("ink", "card", 4.5), ("ink-2", "paper", 4.5), ("ink-2", "card", 4.5),
        ("ink-2", "tint", 4.5),
        ("accent", "paper", 4.5), ("accent", "card", 4.5), ("accent", "tint", 4.5), ("on-accent", "accent", 4.5),
        ("on-accent", "accent-hover", 4.5), ("good", "good-tint", 4.5), ("warn", "warn-tint", 4.5),
        ("bad", "bad-tint", 4.5),
        ("ink", "tint", 4.5), ("ink", "warn-tint", 4.5), ("ink", "bad-tint", 4.5), ("edge", "card", 3),
        ("edge", "paper", 3),
        ("series-1", "card", 3), ("series-2", "card", 3), ("series-3", "card", 3), ("series-4", "card", 3),
    ],
)  # fmt: skip
def test_colours_have_enough_contrast(theme: int, front: str, back: str, least: float) -> None:
    block = (STATIC / "tokens.css").read_text().split("prefers-color-scheme: dark")[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
    assert contrast(colours[front], colours[back]) >= least
