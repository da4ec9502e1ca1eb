"""Which subscription serves whom, and with which key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiKey, Member, Organisation, Project, User
from audit.models import AuditLog
from core.context import SYSTEM
from core.errors import Conflict
from subscriptions.holders import holders_of, visible_to
from subscriptions.models import AiModel, Plan, Subscription, SubscriptionKey, SuspendedFor
from subscriptions.selectors import may_use_model, models_for, usable_subscription
from subscriptions.services.catalogue import change_model
from subscriptions.services.keys import NotItsOwner, link_key, unlink_key
from subscriptions.services.subscriptions import cancel_subscription, request_subscription, suspend_subscription
from tests.races import at_once
from tests.subscriptions.conftest import FIN

pytestmark = pytest.mark.django_db


def give(plan: Plan, user: Any = None, organisation: Any = None) -> Subscription:
    row = request_subscription(actor=FIN, plan=plan, user=user, organisation=organisation)
    assert row.is_usable
    return row


def key_of(owner: Any, name: str = "k") -> ApiKey:
    which = {"project": owner} if isinstance(owner, Project) else {"user": owner}
    return ApiKey.objects.create(key_prefix=name, key_hash=f"{name:0>64}", name=name, created_by="fin", **which)


@pytest.fixture
def project(lab: Organisation) -> Project:
    return Project.objects.create(organisation=lab, name="Speech")


# --- models ---------------------------------------------------------------------------
def test_an_open_model_is_everybodys_and_a_restricted_one_is_not(
    model: AiModel, secret_model: AiModel, alice: Any, bob: Any, quick_plan: Plan
) -> None:
    assert may_use_model(model=model, user=alice)
    assert not may_use_model(model=secret_model, user=alice)
    give(quick_plan, alice)
    assert may_use_model(model=secret_model, user=alice)
    assert not may_use_model(model=secret_model, user=bob)
    assert [row.pk for row in models_for(alice).order_by("pk")] == ["thai-med", "typhoon-2"]
    assert [row.pk for row in models_for(bob)] == ["typhoon-2"]


def test_a_plan_that_names_no_model_does_not_open_a_restricted_one(
    model: AiModel, secret_model: AiModel, alice: Any, open_plan: Plan
) -> None:
    row = give(open_plan, alice)
    assert not may_use_model(model=secret_model, user=alice)
    assert usable_subscription(model=secret_model, user=alice) is None
    assert usable_subscription(model=model, user=alice) == row


def test_nobody_uses_a_model_that_is_switched_off(model: AiModel, alice: Any, open_plan: Plan) -> None:
    give(open_plan, alice)
    change_model(actor=FIN, model=model, is_active=False)
    assert not may_use_model(model=model, user=alice)
    assert usable_subscription(model=model, user=alice) is None


def test_a_plan_that_names_the_model_comes_before_one_that_names_none(
    secret_model: AiModel, alice: Any, open_plan: Plan, quick_plan: Plan
) -> None:
    give(open_plan, alice)
    named = give(quick_plan, alice)
    change_model(actor=FIN, model=secret_model, restricted=False)
    assert usable_subscription(model=secret_model, user=alice) == named


@pytest.mark.parametrize("how", ["suspended", "canceled", "over", "to come", "user off", "pending"])
def test_what_does_not_run_serves_nobody(secret_model: AiModel, alice: Any, quick_plan: Plan, how: str) -> None:
    row = give(quick_plan, alice)
    moment = timezone.now()
    if how == "suspended":
        suspend_subscription(actor=SYSTEM, subscription=row, cause=SuspendedFor.QUOTA)
    elif how == "canceled":
        cancel_subscription(actor=FIN, subscription=row)
    elif how == "user off":
        User.objects.filter(pk="alice").update(is_active=False)
    elif how == "pending":
        Subscription.objects.update(status="pending")
    else:
        given = {"end_at": moment} if how == "over" else {"start_at": moment + timedelta(days=1)}
        Subscription.objects.update(**given)
    assert not may_use_model(model=secret_model, user=alice)


# --- organisations --------------------------------------------------------------------
def test_what_an_organisation_holds_serves_its_members_and_its_projects(
    secret_model: AiModel, quick_plan: Plan, lab: Organisation, project: Project
) -> None:
    row = give(quick_plan, None, lab)
    served = {name: may_use_model(model=secret_model, user=User.objects.get(pk=name))
              for name in ("alice", "bob", "bill", "vera", "mallory")}  # fmt: skip
    assert served == {"alice": True, "bob": True, "bill": False, "vera": False, "mallory": False}
    assert usable_subscription(model=secret_model, project=project) == row
    assert usable_subscription(model=secret_model, organisation=lab) == row
    Project.objects.update(is_active=False)
    assert usable_subscription(model=secret_model, project=Project.objects.get()) is None
    Organisation.objects.update(is_active=False)
    assert usable_subscription(model=secret_model, organisation=lab) is None


def test_what_a_member_holds_within_an_organisation_ends_with_the_membership(
    secret_model: AiModel, quick_plan: Plan, lab: Organisation, bob: Any, alice: Any
) -> None:
    row = give(quick_plan, bob, lab)
    assert usable_subscription(model=secret_model, user=bob) == row
    assert usable_subscription(model=secret_model, user=bob, organisation=lab) == row
    assert usable_subscription(model=secret_model, user=alice, organisation=lab) is None
    assert usable_subscription(model=secret_model, organisation=lab) is None
    Member.objects.filter(user=bob).delete()
    assert usable_subscription(model=secret_model, user=bob) is None


def test_what_somebody_holds_alone_does_not_serve_the_organisation(
    secret_model: AiModel, quick_plan: Plan, lab: Organisation, alice: Any, project: Project
) -> None:
    own = give(quick_plan, alice)
    assert usable_subscription(model=secret_model, user=alice, organisation=lab) is None
    assert usable_subscription(model=secret_model, project=project) is None
    shared, narrow = give(quick_plan, None, lab), give(quick_plan, alice, lab)
    assert usable_subscription(model=secret_model, user=alice, organisation=lab) == narrow
    assert usable_subscription(model=secret_model, user=alice) in (own, narrow)
    cancel_subscription(actor=FIN, subscription=narrow)
    assert usable_subscription(model=secret_model, user=alice, organisation=lab) == shared


def test_nobody_is_served_nothing(secret_model: AiModel, quick_plan: Plan, alice: Any) -> None:
    give(quick_plan, alice)
    assert usable_subscription(model=secret_model) is None


def test_it_is_one_question_to_the_database(
    secret_model: AiModel, quick_plan: Plan, alice: Any, lab: Organisation, django_assert_num_queries: Any
) -> None:
    give(quick_plan, alice, lab)
    key = ApiKey.objects.select_related("user", "project").get(pk=key_of(alice).pk)
    with django_assert_num_queries(1):
        assert usable_subscription(model=secret_model, api_key=key) is not None


# --- who may ask, and see -------------------------------------------------------------
def test_who_pays_asks_for_all_who_uses_for_themselves_and_viewers_for_nothing_of_it(lab: Organisation) -> None:
    kinds = {name: [each.key.partition(":")[0] for each in holders_of(User.objects.get(pk=name))]
             for name in ("alice", "bob", "bill", "vera", "mallory")}  # fmt: skip
    assert kinds == {
        "alice": ["me", "member", "organisation"], "bill": ["me", "organisation"], "bob": ["me", "member"], "vera": ["me"], "mallory": ["me"],
    }  # fmt: skip


def test_who_sees_what(open_plan: Plan, quick_plan: Plan, lab: Organisation, bob: Any, alice: Any) -> None:
    rows = {"bob alone": give(open_plan, bob), "bob in lab": give(open_plan, bob, lab),
            "lab": give(open_plan, None, lab), "alice": give(quick_plan, alice)}  # fmt: skip
    names = {row.pk: name for name, row in rows.items()}
    seen = {who: {names[row.pk] for row in visible_to(User.objects.get(pk=who))}
            for who in ("alice", "bob", "bill", "vera", "mallory")}  # fmt: skip
    assert seen == {
        "alice": {"alice", "bob in lab", "lab"}, "bob": {"bob alone", "bob in lab", "lab"}, "vera": {"lab"},
        "bill": {"bob in lab", "lab"}, "mallory": set(),
    }  # fmt: skip


# --- keys -----------------------------------------------------------------------------
def test_a_key_without_links_may_use_all_of_its_owner_and_with_links_only_these(
    secret_model: AiModel, quick_plan: Plan, open_plan: Plan, model: AiModel, alice: Any
) -> None:
    named, basic, key = give(quick_plan, alice), give(open_plan, alice), key_of(alice)
    assert usable_subscription(model=secret_model, api_key=key) == named
    assert link_key(actor=FIN, subscription=basic, api_key=key)
    assert not link_key(actor=FIN, subscription=basic, api_key=key)
    assert usable_subscription(model=secret_model, api_key=key) is None
    assert usable_subscription(model=model, api_key=key) == basic
    assert usable_subscription(model=secret_model, api_key=key_of(alice, "other")) == named
    assert unlink_key(actor=FIN, subscription=basic, api_key=key)
    assert not unlink_key(actor=FIN, subscription=basic, api_key=key)
    assert usable_subscription(model=secret_model, api_key=key) == named
    told = AuditLog.objects.filter(action__startswith="subscription_key_").order_by("id")
    assert [row.action for row in told] == ["subscription_key_link", "subscription_key_unlink"]
    assert key.key_hash not in str(list(told.values()))


def test_a_key_serves_its_owner_only(
    quick_plan: Plan, open_plan: Plan, lab: Organisation, project: Project, alice: Any, bob: Any
) -> None:
    own, within, shared = give(quick_plan, alice), give(quick_plan, alice, lab), give(quick_plan, None, lab)
    other = Project.objects.create(organisation=Organisation.objects.create(name="Else"), name="x")
    keys = {"alice": key_of(alice, "a"), "bob": key_of(bob, "b"), "lab": key_of(project, "p"), "else": key_of(other, "e"),
            "vera": key_of(User.objects.get(pk="vera"), "v"), "bill": key_of(User.objects.get(pk="bill"), "i")}  # fmt: skip

    def takes(row: Subscription) -> set[str]:
        taken = set()
        for name, key in keys.items():
            try:
                link_key(actor=FIN, subscription=row, api_key=key)
                taken.add(name)
            except NotItsOwner:
                pass
        return taken

    assert takes(own) == takes(within) == {"alice"}
    assert takes(shared) == {"alice", "bob", "lab"}


def test_what_is_over_is_not_linked(open_plan: Plan, alice: Any) -> None:
    row, key = give(open_plan, alice), key_of(alice)
    ApiKey.objects.update(is_active=False)
    with pytest.raises(Conflict):
        link_key(actor=FIN, subscription=row, api_key=ApiKey.objects.get())
    ApiKey.objects.update(is_active=True)
    cancel_subscription(actor=FIN, subscription=row)
    with pytest.raises(Conflict):
        link_key(actor=FIN, subscription=row, api_key=key)
    assert not SubscriptionKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_ten_links_at_once_one_is_made(open_plan: Plan, alice: Any) -> None:
    row, key = give(open_plan, alice), key_of(alice)
    done = at_once(10, lambda _index: link_key(actor=FIN, subscription=row, api_key=key))
    assert sorted(done) == [False] * 9 + [True]
