"""The console never leads anybody to a page that it then refuses them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.roles import GROUPS
from billing.services.receipts import create_receipts
from core.context import SYSTEM
from hpcbilling.pages import morning
from payments.services.checkout import start_payment
from tests.factories import make_jobs
from tests.payments.conftest import call

LEFT_OUT = ("/admin/logout/", "/admin/jsi18n/")


def links(page: str) -> set[str]:
    body = page.split("<body", 1)[-1]
    found = {unescape(address) for address in re.findall(r'<a[^>]* href="(/admin/[^"#]*)"', body)}
    return {address for address in found if not address.startswith(LEFT_OUT)}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_link_that_a_group_sees_opens(jobs: None, make_user: Any, days_ago: Any, group: str) -> None:
    receipt = create_receipts(actor=SYSTEM, username="alice")[0]
    call(start_payment(actor=SYSTEM, receipt=receipt))
    make_jobs(3, username="bob", end_at=days_ago(40))
    morning.note()
    client = Client()
    client.force_login(make_user("worker", role="admin", groups=[group]))
    seen, refused = {"/admin/"}, []
    for depth in range(3):
        for address in sorted(seen) if depth else ["/admin/"]:
            response = client.get(address, follow=True)
            if response.status_code != 200:
                refused.append(f"{address}: {response.status_code}")
            elif depth < 2:
                seen |= {each.partition("?")[0] if depth else each for each in links(response.text)}
    assert refused == []


def test_who_sets_prices_may_ask_what_others_would_cost(make_user: Any) -> None:
    client = Client()
    client.force_login(make_user("ed", role="admin", groups=["Rates editor"]))
    assert client.get("/admin/billing/rateversion/what-if/").status_code == 200


def test_who_only_reads_prices_is_not_shown_what_everybody_pays(make_user: Any) -> None:
    from django.contrib.auth.models import Group, Permission

    group = Group.objects.create(name="Readers of prices")
    group.permissions.set(Permission.objects.filter(codename="view_rateversion"))
    client = Client()
    client.force_login(make_user("reader", role="admin", groups=[group.name]))
    assert client.get("/admin/billing/rateversion/what-if/").status_code == 403
    assert "what-if" not in client.get("/admin/billing/rateversion/").text
