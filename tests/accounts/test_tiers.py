"""Which tier somebody pays: organisation, then override, then rules, then the default."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import translation

from accounts.models import Organisation, Project, ProjectAccount, Tier, TierOverride, TierRule
from accounts.tiers import Resolution, TierResolver, describe_reason

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 20)


def project(
    account: str, *, tier: str | None, name: str = "Physics", active: bool = True, running: bool = True
) -> None:
    organisation = Organisation.objects.create(name=name, tier_id=tier, is_active=active)
    row = Project.objects.create(organisation=organisation, name="Main", is_active=running)
    ProjectAccount.objects.create(project=row, account=account)


def rule(position: int, kind: str, pattern: str, tier: str, **fields: Any) -> None:
    TierRule.objects.create(position=position, kind=kind, pattern=pattern, tier_id=tier, **fields)


def override(tier: str, **fields: Any) -> None:
    TierOverride.objects.create(username="alice", tier_id=tier, reason="agreed by letter", set_by="fin", **fields)


def resolve(username: str = "alice", account: str = "physics", on: date = DAY) -> tuple[str, str]:
    answer = TierResolver.load(on=on).resolve(username, account)
    return answer.tier, answer.source


def test_a_fresh_database_has_the_three_tiers_and_no_rule() -> None:
    assert list(Tier.objects.values_list("code", flat=True)) == ["mu", "gov", "private"]
    assert not TierRule.objects.exists()


def test_without_anything_the_default_tier_is_paid() -> None:
    assert TierResolver.load(on=DAY).resolve("alice", "physics") == Resolution("private", "default", "default")


def test_each_level_beats_the_next() -> None:
    rule(10, "account", "phys*", "gov")
    assert resolve() == ("gov", "rule")
    override("private")
    assert resolve() == ("private", "override")
    project("physics", tier="mu")
    assert resolve() == ("mu", "organisation")


@pytest.mark.parametrize("gap", [{"tier": None}, {"tier": "mu", "active": False}, {"tier": "mu", "running": False}])
def test_an_organisation_counts_only_while_it_and_its_project_are_active_and_it_has_a_tier(gap: dict[str, Any]) -> None:
    project("physics", **gap)
    assert resolve() == ("private", "default")


def test_the_first_active_rule_by_position_decides() -> None:
    rule(30, "user", "alice", "private")
    rule(20, "user", "al?ce", "gov")
    rule(10, "user", "*", "mu", is_active=False)
    assert TierResolver.load(on=DAY).resolve("alice", "x") == Resolution("gov", "rule", "rule:20:user:al?ce")


def test_rules_look_at_user_account_or_organisation_and_ignore_case() -> None:
    project("phys01", tier=None, name="Ministry of Science")
    rule(1, "organisation", "MINISTRY*", "gov")
    rule(2, "account", "CHEM-*", "mu")
    assert resolve(account="Phys01") == ("gov", "rule")
    assert resolve(account="chem-9") == ("mu", "rule")
    assert resolve(username="ministryfan", account="other") == ("private", "default")


def test_an_organisation_rule_never_matches_an_account_without_one() -> None:
    rule(1, "organisation", "*", "gov")
    assert resolve() == ("private", "default")


@pytest.mark.parametrize(
    ("on", "tier"),
    [
        (date(2026, 10, 31), "private"),
        (date(2026, 11, 1), "mu"),
        (date(2026, 11, 30), "mu"),
        (date(2026, 12, 1), "private"),
    ],
)
def test_an_override_holds_from_its_first_to_its_last_day(on: date, tier: str) -> None:
    override("mu", valid_from=date(2026, 11, 1), valid_until=date(2026, 11, 30))
    assert resolve(on=on)[0] == tier


def test_a_dated_override_beats_an_open_one_and_the_later_start_the_earlier() -> None:
    override("private")
    override("mu", valid_from=date(2026, 11, 10))
    override("gov", valid_from=date(2026, 11, 1))
    assert resolve(on=date(2026, 11, 20))[0] == "mu"
    assert resolve(on=date(2026, 11, 5))[0] == "gov"
    assert resolve(on=date(2026, 10, 1))[0] == "private"


def test_resolving_many_jobs_asks_the_database_three_times(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):
        resolver = TierResolver.load(on=DAY)
        for number in range(100):
            resolver.resolve(f"user{number}", "physics")


def test_the_database_refuses_two_open_overrides_of_one_user() -> None:
    override("gov")
    with pytest.raises(IntegrityError), transaction.atomic():
        TierOverride.objects.create(username="alice", tier_id="mu", reason="x", set_by="x")


@pytest.mark.django_db(transaction=True)
def test_tiers_that_a_site_changed_survive_the_next_migrate() -> None:
    Tier.objects.filter(code="mu").update(name="Our university", position=99)
    before = list(Tier.objects.values())
    call_command("migrate", verbosity=0)
    assert list(Tier.objects.values()) == before


@pytest.mark.parametrize(
    ("reason", "english", "thai"),
    [
        ("default", "default tier", "กลุ่มราคาเริ่มต้น"),
        ("override:alice", "set for user alice", "กำหนดเฉพาะผู้ใช้ alice"),
        ("organisation:Lab: north", "organisation Lab: north", "องค์กร Lab: north"),
        ("rule:10:account:phys:*", "rule 10: account phys:*", "กฎที่ 10: บัญชี phys:*"),
        ("written by hand long ago", "written by hand long ago", "written by hand long ago"),
    ],
)
def test_a_stored_reason_reads_in_the_language_of_its_reader(reason: str, english: str, thai: str) -> None:
    with translation.override("en"):
        assert describe_reason(reason) == english
    with translation.override("th"):
        assert describe_reason(reason) == thai
