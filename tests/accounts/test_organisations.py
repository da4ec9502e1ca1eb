"""Organisations and projects: made, changed and closed without losing anything, with somebody who owns them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts import membership
from accounts.membership import MEMBERS, SETTINGS, USE, VIEW, organisations_of, projects_of, rights_of
from accounts.models import Identity, Member, Organisation, Project, ProjectLead, Tier, User
from accounts.services.identities import set_email
from accounts.services.members import IsMember, LastOwner, add_member, change_member, remove_member
from accounts.services.organisations import (
    FieldFixed,
    HasAccounts,
    change_organisation,
    change_project,
    create_organisation,
    create_project,
    set_organisation_active,
    set_project_active,
)
from audit.models import AuditLog
from billing.services.receipts import create_receipts
from core.context import Actor
from core.errors import AppError, BadInput, Conflict
from tests.accounts.worlds import ROLES, World
from tests.factories import account_tier, make_job
from tests.races import at_once

pytestmark = pytest.mark.django_db
FIN, OWNER = Actor("fin"), Actor("owner")


def entry(action: str) -> AuditLog:
    return AuditLog.objects.filter(action=action).latest("id")


# --- rights --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("owner", {"view", "use", "keys", "billing", "members", "settings"}),
        ("billing_manager", {"view", "billing"}),
        ("member", {"view", "use", "keys"}),
        ("viewer", {"view"}),
        ("former", set()),
        ("rival", set()),
    ],
)
def test_what_each_role_may_do(world: World, role: str, rights: set[str]) -> None:
    user = world.people[role]
    assert rights_of(user, world.physics) == rights
    for right in membership.ALL:
        assert (world.physics in organisations_of(user, right)) == (right in rights)
        assert (world.project in projects_of(user, right)) == (right in rights)


def test_a_closed_organisation_is_read_by_those_who_answer_for_its_bills_and_nobody_does_anything(
    world: World,
) -> None:
    set_organisation_active(actor=FIN, organisation=world.physics, active=False)
    for role in ROLES:
        kept = {"view", "billing"} if role in ("owner", "billing_manager") else set()
        assert rights_of(world.people[role], world.physics) == kept
        for right in membership.ALL:
            assert (world.physics in organisations_of(world.people[role], right)) == (right in kept)


def test_a_closed_project_is_seen_and_not_used(world: World) -> None:
    set_project_active(actor=OWNER, project=world.project, active=False)
    assert world.project in projects_of(world.people["member"], VIEW)
    assert world.project not in projects_of(world.people["member"], USE)
    assert world.project in projects_of(world.people["owner"], SETTINGS), "to open it again"


def test_an_inactive_user_and_nobody_at_all_may_nothing(world: World) -> None:
    User.objects.filter(pk="owner").update(is_active=False)
    user = User.objects.get(pk="owner")
    for person in (user, AnonymousUser()):
        assert rights_of(person, world.physics) == frozenset()
        assert not organisations_of(person).exists()
        assert not projects_of(person).exists()


def test_staff_have_what_their_permissions_say_in_every_organisation(
    world: World, finance: Any, auditor: Any, make_user: Any
) -> None:
    assert {VIEW, MEMBERS, SETTINGS} <= rights_of(finance, world.physics)
    assert rights_of(auditor, world.physics) == {"view", "billing"}
    assert rights_of(make_user("op", role="admin", groups=["Operator"]), world.physics) == frozenset()
    assert set(organisations_of(auditor)) == {world.physics, world.chemistry}
    retired = User.objects.get(pk=finance.pk)
    retired.role = "user"
    assert rights_of(retired, world.physics) == frozenset(), "a group alone opens nothing"


# --- organisations ---------------------------------------------------------------
def test_an_organisation_is_made_with_its_first_owner_and_the_log_says_so(world: World) -> None:
    made = create_organisation(actor=FIN, name=" Biology ", owner=world.people["nobody"], currency="USD")
    assert (made.name, made.currency, made.time_zone, made.is_active) == ("Biology", "USD", "Asia/Bangkok", True)
    assert rights_of(world.people["nobody"], made) == membership.ALL
    assert (entry("organisation_create").actor, entry("organisation_create").extra["owner"]) == ("fin", "nobody")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": "Physics"}, "name"), ({"name": ""}, "name"), ({"name": "X", "currency": "baht"}, "currency"),
     ({"name": "X", "time_zone": "Mars"}, "time_zone"), ({"name": "X", "billing_email": "x"}, "billing_email"),
     ({"name": "X", "currency": "THB\n"}, "currency"), ({"name": "X", "currency": "ZZZ"}, "currency"),
     ({"name": "X", "billing_mode": "cash"}, "billing_mode")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_field(world: World, fields: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        create_organisation(actor=FIN, **fields)
    assert refused.value.details["field"] == field
    assert Organisation.objects.count() == 2


def test_a_change_is_written_with_what_it_was_and_a_repeat_writes_nothing(world: World) -> None:
    changes = {"billing_email": "new@example.ac.th", "tier": Tier.objects.get(pk="mu")}
    assert change_organisation(actor=OWNER, organisation=world.physics, changes=changes)
    assert entry("organisation_change").changes == {
        "billing_email": ["bills@example.ac.th", "new@example.ac.th"], "tier": [None, "mu"],
    }  # fmt: skip
    number = AuditLog.objects.count()
    assert not change_organisation(actor=OWNER, organisation=world.physics, changes=changes)
    assert AuditLog.objects.count() == number


def test_the_currency_stands_once_something_was_billed(world: World, alice: Any) -> None:
    change_organisation(actor=OWNER, organisation=world.physics, changes={"currency": "USD"})
    change_organisation(actor=OWNER, organisation=world.physics, changes={"currency": "THB"})
    world.project.accounts.create(account="physics")
    ProjectLead.objects.create(project=world.project, user=alice)
    account_tier("physics", "mu")
    make_job(account="physics")
    assert create_receipts(actor=Actor("alice"), username="alice", project=world.project.pk)
    with pytest.raises(FieldFixed) as refused:
        change_organisation(actor=OWNER, organisation=world.physics, changes={"currency": "USD"})
    assert refused.value.details["field"] == "currency"
    assert change_organisation(actor=OWNER, organisation=world.physics, changes={"time_zone": "UTC"})
    assert change_organisation(actor=FIN, organisation=world.chemistry, changes={"currency": "USD"})


def test_the_time_zone_stands_once_usage_was_counted_by_it(world: World) -> None:
    from django.utils import timezone

    from usage.models import Period, UsageAggregate

    UsageAggregate.objects.create(
        organisation=world.physics, project=world.project, metric_name="calls", period_type=Period.HOUR,
        period_start=timezone.now().replace(minute=0, second=0, microsecond=0), total_value=1, event_count=1,
        min_value=1, max_value=1, latest_value=1, latest_at=timezone.now(),
    )  # fmt: skip
    with pytest.raises(FieldFixed):
        change_organisation(actor=OWNER, organisation=world.physics, changes={"time_zone": "UTC"})


def test_closing_loses_nothing_and_opening_gives_all_of_it_back(world: World) -> None:
    assert set_organisation_active(actor=FIN, organisation=world.physics, active=False, reason="contract ended")
    assert not set_organisation_active(actor=FIN, organisation=world.physics, active=False)
    assert (Member.objects.filter(organisation=world.physics).count(), Project.objects.count()) == (4, 1)
    assert entry("organisation_close").extra == {"reason": "contract ended"}
    assert set_organisation_active(actor=FIN, organisation=world.physics, active=True)
    assert rights_of(world.people["owner"], world.physics) == membership.ALL


# --- projects ----------------------------------------------------------------------
def test_a_project_is_made_and_its_name_is_its_own_within_the_organisation(world: World) -> None:
    create_project(actor=OWNER, organisation=world.physics, name="High pressure")
    create_project(actor=OWNER, organisation=world.chemistry, name="High pressure")
    with pytest.raises(BadInput):
        create_project(actor=OWNER, organisation=world.physics, name="High pressure")
    assert change_project(actor=OWNER, project=world.project, changes={"description": "cold"})
    with pytest.raises(BadInput):
        change_project(actor=OWNER, project=world.project, changes={"name": "High pressure"})
    assert entry("project_change").changes == {"description": ["", "cold"]}


def test_nothing_begins_in_a_closed_organisation(world: World) -> None:
    set_organisation_active(actor=FIN, organisation=world.physics, active=False)
    with pytest.raises(Conflict):
        create_project(actor=OWNER, organisation=world.physics, name="New")


def test_a_project_on_which_prices_of_jobs_hang_is_closed_by_finance_alone(world: World) -> None:
    world.project.accounts.create(account="physics")
    with pytest.raises(HasAccounts):
        set_project_active(actor=OWNER, project=world.project, active=False)
    assert set_project_active(actor=FIN, project=world.project, active=False, with_accounts=True)
    assert not set_project_active(actor=FIN, project=world.project, active=False, with_accounts=True)


@pytest.mark.django_db(transaction=True)
def test_of_two_projects_of_one_name_at_once_one_is_made(world: World) -> None:
    def make(number: int) -> str:
        try:
            create_project(actor=OWNER, organisation=world.physics, name="Twice")
        except BadInput as error:
            return str(error.details["field"])
        return "made"

    assert sorted(at_once(3, make)) == ["made", "name", "name"]


# --- members -------------------------------------------------------------------------
def test_members_come_change_and_go_and_the_log_names_them(world: World) -> None:
    member = add_member(actor=FIN, organisation=world.physics, user=world.people["nobody"], role="viewer")
    assert add_member(actor=FIN, organisation=world.physics, user=world.people["nobody"], role="viewer") == member
    with pytest.raises(IsMember):
        add_member(actor=FIN, organisation=world.physics, user=world.people["nobody"], role="owner")
    assert change_member(actor=OWNER, member=member, role="member")
    assert not change_member(actor=OWNER, member=member, role="member")
    remove_member(actor=OWNER, member=member)
    with pytest.raises(Conflict):
        change_member(actor=OWNER, member=member, role="viewer")
    written = AuditLog.objects.filter(action__startswith="member_").order_by("id")
    assert [(each.action, each.extra["member"], each.changes["role"]) for each in written] == [
        ("member_add", "nobody", [None, "viewer"]),
        ("member_change", "nobody", ["viewer", "member"]),
        ("member_remove", "nobody", ["member", None]),
    ]


def test_the_last_owner_neither_goes_nor_becomes_anything_else(world: World) -> None:
    for act in (
        lambda: remove_member(actor=OWNER, member=world.member("owner")),
        lambda: change_member(actor=OWNER, member=world.member("owner"), role="member"),
    ):
        with pytest.raises(LastOwner):
            act()
    change_member(actor=OWNER, member=world.member("viewer"), role="owner")
    remove_member(actor=OWNER, member=world.member("owner"))
    assert set(Member.objects.filter(organisation=world.physics, role="owner").values_list("user", flat=True)) == {
        "viewer"
    }


def test_an_owner_who_cannot_sign_in_counts_for_none(world: World) -> None:
    change_member(actor=OWNER, member=world.member("viewer"), role="owner")
    User.objects.filter(pk="viewer").update(is_active=False)
    with pytest.raises(LastOwner):
        remove_member(actor=OWNER, member=world.member("owner"))


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays(world: World) -> None:
    change_member(actor=OWNER, member=world.member("viewer"), role="owner")
    rows = [world.member("owner"), world.member("viewer")]

    def leave(number: int) -> str:
        try:
            remove_member(actor=Actor(rows[number].user_id), member=rows[number])
        except LastOwner as error:
            return error.code
        return "left"

    assert sorted(at_once(2, leave)) == ["last_owner", "left"]
    assert Member.objects.filter(organisation=world.physics, role="owner").count() == 1


def test_leaving_ends_leading_the_projects_of_that_organisation_alone(world: World) -> None:
    other = Project.objects.create(organisation=world.chemistry, name="Elsewhere")
    for project in (world.project, other):
        ProjectLead.objects.create(project=project, user=world.people["member"])
    remove_member(actor=OWNER, member=world.member("member"))
    assert list(ProjectLead.objects.values_list("project__name", flat=True)) == ["Elsewhere"]
    assert entry("member_remove").extra["led"] == ["Low temperature"]


# --- what users tell about themselves -----------------------------------------------------
def test_an_address_is_given_changed_and_forgotten_and_the_log_never_holds_it(alice: Any) -> None:
    actor = Actor("alice")
    assert set_email(actor=actor, user=alice, email=" alice@example.ac.th ")
    assert not set_email(actor=actor, user=alice, email="alice@example.ac.th")
    assert Identity.objects.get().email == "alice@example.ac.th"
    with pytest.raises(AppError):
        set_email(actor=actor, user=alice, email="alice")
    assert set_email(actor=actor, user=alice, email="")
    assert not Identity.objects.exists(), "nothing is left to keep"
    assert not set_email(actor=actor, user=alice, email="")
    for each in AuditLog.objects.filter(action="email_address"):
        assert "example" not in f"{each.extra}{each.changes}{each.target}"


def test_forgetting_the_address_keeps_where_somebody_signs_in_from(alice: Any) -> None:
    Identity.objects.create(user=alice, email="a@example.ac.th", oauth_provider="x", oauth_id="1")
    set_email(actor=Actor("alice"), user=alice, email="")
    assert (Identity.objects.get().email, Identity.objects.get().oauth_id) == ("", "1")
