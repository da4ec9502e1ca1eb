"""axe-core on every page, in both languages and both themes: no violation of WCAG 2.2 A or AA."""

from __future__ import annotations

import os
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group
from django.utils import timezone

from billing.services.receipts import create_receipts
from core.context import Actor
from core.periods import previous_month, today
from tests.browser.addresses import CONSOLE, PAGES
from tests.browser.test_stories import lead
from tests.factories import make_jobs, make_project
from tests.payments.rigs import RIGS
from usage.models import Job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RULES = {
    "rules": {"label-title-only": {"enabled": False}},  # Django labels its search field with a picture named "Search"
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],  # of what passes, not every element
}
CONSOLE_LISTS = [path for path in CONSOLE if path != "/api/docs/"]  # that one is Swagger UI, as it comes
MORE = ["/account/", "/accounts/password/", "/verify/", "/nowhere/"]
ALL = bool(os.environ.get("BROWSER_ALL"))
BOTH = pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("th", "light")])
# The other two pairs show the same parts in the same colours: BROWSER_ALL=1 looks at them, too.
WIDE_AND_NARROW = [("en", "dark", 1440), ("th", "light", 390)]
if ALL:
    WIDE_AND_NARROW += [("en", "dark", 390), ("th", "light", 1440)]


def by_turns(paths: list[str], language: str) -> list[str]:
    """Every second page, the others in the other language and theme; BROWSER_ALL=1: all of them in both.

    A page's parts are on its neighbours too, and what Thai makes of a page is the business of ``pages``.
    """
    return paths if ALL else paths[language == "th" :: 2]


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
    faults = [fault for path in by_turns([*PAGES, *MORE, *own], language) for fault in violations(person, path)]
    assert not faults, "\n".join(faults)


@BOTH
def test_pages_of_strangers(visit: Any, language: str, theme: str) -> None:
    person = visit(color_scheme=theme)
    speak(person, language)
    assert [
        fault
        for path in ("/accounts/login/", "/accounts/forgotten/", "/verify/", "/nowhere/")
        for fault in violations(person, path)
    ] == []


def _rows(receipt: Any) -> list[str]:
    """Pages of single rows, and forms: what a list of addresses cannot name."""
    rig = RIGS["dummy.page"]()
    payment = rig.start(receipt)
    rig.pay(payment)
    project = make_project()
    project.accounts.create(account="physics")
    month = previous_month(today())
    own = Group.objects.create(name="Readers")
    ours = Group.objects.get(name="Finance")
    return [
        f"/admin/{path}"
        for path in (
            "billing/rateversion/add/", f"accounts/project/{project.pk}/change/", "accounts/user/alice/change/",
            "auth/group/add/", f"auth/group/{own.pk}/change/", f"auth/group/{ours.pk}/change/",
            f"billing/receipt/{receipt.pk}/change/", f"payments/payment/{payment.pk}/change/",
            f"billing/closedmonth/{month:%Y-%m}/", "accounts/tierrule/try/?username=alice&account=ministry",
            "billing/receipt/run/?start=&end=&user=", "billing/rateversion/what-if/", "billing/receipt/?q=R",
            "usage/job/?q=run", "accounts/tieroverride/add/", "accounts/organisation/add/", "accounts/user/add/",
            "billing/taxrule/add/", "billing/pricingplan/add/", "billing/discount/add/", "subscriptions/plan/add/",
            "subscriptions/aimodel/add/",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("language", "theme", "width"), WIDE_AND_NARROW)
def test_lists_forms_and_rows_of_the_console(
    visit: Any, usage: None, superuser: Any, language: str, theme: str, width: int
) -> None:
    pages = _rows(create_receipts(actor=Actor("alice"), username="alice")[0])
    make_jobs(120, username="bob", end_at=timezone.now().replace(microsecond=0))  # more than a page of a list
    person = visit(color_scheme=theme)
    person.page.set_viewport_size({"width": width, "height": 900})
    person.sign_in("root")
    speak(person, language)
    looked_at = by_turns([*pages, "/style/", *CONSOLE_LISTS], language)
    faults = [fault for path in looked_at for fault in violations(person, path)]
    assert not faults, "\n".join(faults)
