"""Two researchers with jobs, rates as migrated, and a reader for what the pages say."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.factories import account_tier, make_job


class Reader(HTMLParser):
    """Collects the words of a page (not those typed into it), inline styles and scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.styles: list[str] = []
        self.inline_scripts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or "style" in values:
            self.styles.append(str(values.get("style", tag)))
        if tag == "script" and "src" not in values and "nonce" not in values:
            self.inline_scripts.append(tag)
        self.inline_scripts += [name for name in values if name.startswith("on")]
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style", "textarea") and data.strip():
            self.words.append(" ".join(data.split()))


def read(response: Any) -> Reader:
    reader = Reader()
    reader.feed(response.content.decode())
    return reader


def text(response: Any) -> str:
    """The page as one line of words, spaces of every kind made plain."""
    return re.sub(r"\s+", " ", " ".join(read(response).words).replace("\u00a0", " "))


@pytest.fixture
def days_ago() -> Any:
    return lambda number: (timezone.now() - timedelta(days=number)).replace(microsecond=0)


@pytest.fixture
def jobs(alice: Any, bob: Any, days_ago: Any) -> None:
    """Alice: 4 core-hours and 8 GB-hours at University (8.00) and the same at Government (20.00). Bob: one job."""
    account_tier("physics", "mu")
    account_tier("ministry", "gov")
    make_job(job_id=501, account="physics", job_name="lattice", end_at=days_ago(2))
    make_job(job_id=502, account="ministry", job_name="census", end_at=days_ago(3))
    make_job(job_id=601, username="bob", account="physics", job_name="bobs-secret", end_at=days_ago(2))


@pytest.fixture
def as_alice(client: Client, alice: Any) -> Client:
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_bob(bob: Any) -> Client:
    client = Client()
    client.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_finance(finance: Any) -> Client:
    client = Client()
    client.force_login(finance, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def receipt(alice: Any, jobs: None) -> Any:
    """Alice's receipt of her University job."""
    from billing.services.receipts import create_receipts
    from core.context import Actor

    made = create_receipts(actor=Actor("alice"), username="alice", start=None, end=None)
    return next(one for one in made if one.pricing_tier_id == "mu")
