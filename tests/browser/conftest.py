"""Debian's Chromium, driven by Playwright; every page is listened to for errors and broken policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.browser.addresses import ARGUMENTS, CHROMIUM
from tests.conftest import PASSWORD
from tests.factories import account_tier, make_jobs


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM} (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


class Visitor:
    """A person at a browser. ``complaints`` holds console errors, policy violations and calls to the outside."""

    def __init__(self, browser: Any, base: str, **options: Any) -> None:
        self.base = base
        self.complaints: list[str] = []
        self.page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:")):
            self.complaints.append(f"outside call: {request.url}")

    def go(self, path: str) -> None:
        response = self.page.goto(self.base + path)
        assert response.status == 200, f"{path}: {response.status}"

    def sign_in(self, username: str) -> None:
        self.go("/accounts/login/")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(f"{self.base}/")

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@pytest.fixture
def visit(chromium: Any, live_server: Any, settings: Any) -> Iterator[Any]:
    settings.SITE_BASE_URL = live_server.url
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        visitors.append(Visitor(chromium, live_server.url, **options))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.context.close()


@pytest.fixture
def usage(alice: Any) -> None:
    """Forty jobs of Alice's over forty days, in two tiers."""
    account_tier("ministry", "gov")
    for day in range(40):
        make_jobs(
            1, end_at=(timezone.now() - timedelta(days=day)).replace(microsecond=0), gpus=day % 3,
            account="ministry" if day % 2 else "physics", job_name=f"run-{day}",
        )  # fmt: skip
