"""axe-core on every page, in both languages and both themes: no violation of WCAG 2.2 A or AA."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from billing.services.receipts import create_receipts
from core.context import Actor
from tests.browser.addresses import CONSOLE, PAGES
from tests.browser.test_stories import lead
from tests.payments.rigs import RIGS
from usage.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RULES = {
    "rules": {"label-title-only": {"enabled": False}},  # Django labels its search field with a picture named "Search"
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
}
MORE = ["/account/", "/accounts/password/", "/verify/", "/nowhere/"]
BOTH = pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("th", "light")])


def violations(visitor: Any, path: str) -> list[str]:
    response = visitor.page.goto(visitor.base + path)
    assert response.status == (404 if path == "/nowhere/" else 200), f"{path}: {response.status}"
    found = Axe().run(visitor.page, options=RULES).response["violations"]
    return [
        f"{path} {each['id']} ({each['impact']}): {node['target']} {node['failureSummary'][:160]}"
        for each in found
        for node in each["nodes"][:3]
    ]


def speak(visitor: Any, language: str) -> None:
    visitor.page.context.add_cookies([{"name": "django_language", "value": language, "url": visitor.base}])


@BOTH
def test_pages_of_researchers(visit: Any, usage: None, settings: Any, language: str, theme: str) -> None:
    settings.PAYMENT_PROVIDER_NAMES = ["dummy", "manual"]
    settings.ORG_BANK_NAME, settings.ORG_BANK_ACCOUNT = "SCB", "123-4-56789-0"
    receipt = create_receipts(actor=Actor("alice"), username="alice")[0]
    payment = RIGS["manual.transfer"]().start(receipt)
    person = visit(color_scheme=theme)
    person.sign_in("alice")
    speak(person, language)
    job = f"/usage/{Job.objects.filter(claimed_by=f'receipt:{receipt.pk}')[0].pk}/"
    project = lead("alice", "physics")
    led = [f"/projects/{project.pk}/{path}" for path in ("", "usage/", "receipts/new/?start=&end=")]
    own = [*led, receipt.get_absolute_url(), f"/payments/{payment.pk}/", f"/payments/thanks?rid={receipt.pk}", job]
    faults = [fault for path in (*PAGES, *MORE, *own) for fault in violations(person, path)]
    assert not faults, "\n".join(faults)


@BOTH
def test_pages_of_strangers(visit: Any, language: str, theme: str) -> None:
    person = visit(color_scheme=theme)
    speak(person, language)
    assert [fault for path in ("/accounts/login/", "/verify/", "/nowhere/") for fault in violations(person, path)] == []


@BOTH
def test_pages_of_the_console(visit: Any, usage: None, superuser: Any, language: str, theme: str) -> None:
    create_receipts(actor=Actor("alice"), username="alice")
    person = visit(color_scheme=theme)
    person.sign_in("root")
    speak(person, language)
    ours = ["/style/", *(path for path in CONSOLE if path != "/api/docs/")]  # that one is Swagger UI, as it comes
    faults = [fault for path in ours for fault in violations(person, path)]
    assert not faults, "\n".join(faults)
