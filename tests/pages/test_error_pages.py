"""Error pages of our own, whatever has gone wrong before."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.pages.conftest import text

DEBUG_ONLY = "hpcbilling.problems.OwnNotFoundMiddleware"


@pytest.fixture
def debugging(settings: Any) -> None:
    """As ``make run`` serves the site."""
    settings.DEBUG = True
    if DEBUG_ONLY not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, DEBUG_ONLY]


@pytest.mark.parametrize("path", ["/nowhere/", "/receipts/999999/", "/receipts/999999.pdf", "/admin/nowhere/"])
def test_an_address_that_is_none_shows_our_page_with_debug_too(
    client: Client, superuser: Any, debugging: None, path: str
) -> None:
    client.force_login(superuser)
    response = client.get(path)
    assert response.status_code == 404
    assert "This page does not exist" in text(response)
    assert "DEBUG" not in response.text


@pytest.mark.parametrize("path", ["/receipts/?status=nope", "/usage/?view=nope"])
def test_what_cannot_be_understood_shows_our_page_with_debug_too(
    client: Client, alice: Any, debugging: None, path: str
) -> None:
    client.force_login(alice)
    response = client.get(path)
    assert response.status_code == 400
    assert "The request cannot be understood" in text(response)
    assert "DEBUG" not in response.text


def test_an_address_without_its_last_slash_is_still_completed_with_debug(client: Client, debugging: None) -> None:
    assert client.get("/playground").headers["Location"] == "/playground/"


def test_the_api_answers_machines_with_debug_too(client: Client, debugging: None) -> None:
    assert client.get("/api/v1/nowhere").headers["Content-Type"] == "application/problem+json"


def test_a_request_that_is_refused_at_the_door_is_answered_in_the_language_of_the_reader(client: Client) -> None:
    client.cookies["django_language"] = "th"
    response = client.get("/verify/?number=%00")
    assert response.status_code == 400
    assert 'lang="th"' in response.text


@pytest.mark.parametrize(("path", "status"), [("/nowhere/", 404), ("/broken/", 500)])
def test_an_error_page_needs_no_collected_files(db: None, settings: Any, tmp_path: Any, path: str, status: int) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    settings.ROOT_URLCONF = "tests.pages.broken"
    response = Client(raise_request_exception=False).get(path)
    assert response.status_code == status
    assert "hpcbilling/site.css" in response.text
