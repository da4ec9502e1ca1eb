"""Tiers are finance's to edit: tried before they are trusted, previewed before they are saved, audited after."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Organisation, Project, Tier, TierOverride, TierRule
from audit.models import AuditLog
from billing.selectors.pricing.tier_changes import changes_of, try_rules, who_matches
from core.periods import today
from tests.factories import account_tier, make_job, make_jobs

pytestmark = pytest.mark.django_db
RULES = "/admin/accounts/tierrule/"
OVERRIDES = "/admin/accounts/tieroverride/"


@pytest.fixture
def console(finance: Any) -> Client:
    browser = Client()
    browser.force_login(finance)
    return browser


def rule_form(**fields: Any) -> dict[str, Any]:
    return {
        "position": 10,
        "kind": "account",
        "pattern": "physics",
        "tier": "mu",
        "is_active": "on",
        "note": "",
        **fields,
    }


# --- the preview -------------------------------------------------------------
def test_a_new_rule_first_shows_who_changes_tier_and_is_saved_only_when_confirmed(console: Client, alice: Any) -> None:
    make_jobs(3)
    make_job(account="chem")
    page = console.post(f"{RULES}add/", rule_form())
    words = page.content.decode()
    assert not TierRule.objects.exists()
    assert "alice" in words
    assert "physics" in words
    assert "chem" not in words
    assert "3 unbilled jobs" in words
    assert console.post(f"{RULES}add/", rule_form(_confirmed="1")).status_code == 302
    assert TierRule.objects.get().tier_id == "mu"
    assert AuditLog.objects.filter(action="object_add", entity_type="tierrule", actor="fin").count() == 1


def test_a_rule_that_changes_nobody_is_saved_at_once(console: Client) -> None:
    assert console.post(f"{RULES}add/", rule_form(pattern="nobody*")).status_code == 302
    assert TierRule.objects.count() == 1


def test_what_the_form_refuses_is_refused_before_any_preview(console: Client, alice: Any) -> None:
    make_job()
    page = console.post(f"{RULES}add/", rule_form(pattern="")).content.decode()
    assert "errorlist" in page
    assert not TierRule.objects.exists()


def test_changing_and_deleting_a_rule_show_the_same(console: Client, alice: Any) -> None:
    make_job()
    rule = account_tier("physics", "mu")
    words = console.post(f"{RULES}{rule.pk}/change/", rule_form(tier="gov")).content.decode()
    assert "University" in words
    assert "Government" in words
    rule.refresh_from_db()
    assert rule.tier_id == "mu"
    page = console.get(f"{RULES}{rule.pk}/delete/").content.decode()
    assert "Private sector" in page
    assert TierRule.objects.filter(pk=rule.pk).exists()
    assert console.post(f"{RULES}{rule.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not TierRule.objects.exists()


def test_an_override_of_later_days_is_previewed_on_its_first_day(console: Client, alice: Any) -> None:
    start = today() + timedelta(days=30)
    form = {"username": "Alice", "tier": "gov", "reason": "loan", "valid_from": start.isoformat(), "valid_until": ""}
    words = console.post(f"{OVERRIDES}add/", form).content.decode()
    assert "Government" in words
    assert not TierOverride.objects.exists()
    assert console.post(f"{OVERRIDES}add/", {**form, "_confirmed": "1"}).status_code == 302
    assert (TierOverride.objects.get().username, TierOverride.objects.get().set_by) == ("alice", "fin")


def test_a_preview_leaves_nothing_behind() -> None:
    make_job()
    with transaction.atomic():
        changes = changes_of(lambda: account_tier("physics", "mu"))
    assert [(c.username, c.account, c.before, c.after) for c in changes] == [
        ("alice", "physics", "Private sector", "University")
    ]
    assert not TierRule.objects.exists()


def test_an_auditor_sees_rules_and_the_test_box_and_changes_nothing(auditor: Any) -> None:
    browser = Client()
    browser.force_login(auditor)
    assert browser.get(RULES).status_code == 200
    assert browser.get(reverse("admin:billing_try_rules")).status_code == 200
    assert browser.post(f"{RULES}add/", rule_form()).status_code == 403
    assert not TierRule.objects.exists()


# --- the test box ------------------------------------------------------------
def test_the_box_says_the_tier_the_reason_and_what_every_rule_says(console: Client) -> None:
    account_tier("phys*", "mu")
    account_tier("physics", "gov")
    trial = try_rules("alice", "Physics")
    assert (trial.tier, trial.source) == ("University", "rule")
    assert [(each.matches, each.decides) for each in trial.rules] == [(True, True), (True, False)]
    page = console.get(reverse("admin:billing_try_rules"), {"username": "alice", "account": "Physics"}).content.decode()
    assert "decides" in page
    assert "matches, but does not decide" in page


def test_an_override_and_an_organisation_decide_before_any_rule() -> None:
    account_tier("physics", "mu")
    TierOverride.objects.create(username="alice", tier_id="gov", reason="x", set_by="fin")
    assert try_rules("alice", "physics").source == "override"
    lab = Organisation.objects.create(name="Lab", tier=Tier.objects.get(pk="private"))
    Project.objects.create(organisation=lab, name="p").accounts.create(account="physics")
    assert try_rules("alice", "physics").source == "organisation"


def test_the_box_says_whom_a_pattern_would_match(console: Client, alice: Any, bob: Any) -> None:
    make_job()
    assert who_matches("user", "A*") == [("alice", "physics")]
    assert who_matches("account", "*") == [("alice", "physics")]  # bob has no account yet: nothing to match
    page = console.get(reverse("admin:billing_try_rules"), {"kind": "user", "pattern": "b?b"}).content.decode()
    assert "1 user and account matches" in page


@pytest.mark.parametrize(
    ("query", "status"), [({}, 200), ({"kind": "nonsense", "pattern": "x"}, 400), ({"username": "x" * 500}, 400)]
)
def test_the_box_survives_any_question_and_refuses_what_is_none(
    console: Client, query: dict[str, str], status: int
) -> None:
    answer = console.get(reverse("admin:billing_try_rules"), query)
    assert answer.status_code == status
    assert 'name="pattern"' in answer.content.decode()


def test_days_of_a_preview_are_asked_once_each() -> None:
    make_job()
    day = date(2027, 5, 1)
    with transaction.atomic():
        (change,) = changes_of(
            lambda: TierOverride.objects.create(
                username="alice", tier_id="mu", reason="x", set_by="fin", valid_from=day
            ),
            days=[day, day],
        )
    assert change.on == day
