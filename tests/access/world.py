"""Everybody that matters and one row of everything, for the table of who may open what.

Alice owns what belongs to a person (jobs, a receipt, its payment, a subscription, a key). The organisation Physics has
an owner, a billing manager, a member, a viewer and a lead; Chemistry is somebody else's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.utils import timezone

from accounts.models import Member, Organisation, Project, ProjectAccount, ProjectLead, Scope, User
from accounts.services.api_keys import issue_key
from billing.services.receipts import create_receipts
from core.context import Actor
from payments.services.checkout import start_payment
from tests.access import rows
from tests.factories import account_tier, make_job

SESSIONS = ("nobody", "alice", "bob", "lead", "owner", "biller", "viewer", "rival", "finance", "auditor",
            "operator", "rates", "support", "root")  # fmt: skip
KEYS = ("alice's_key", "project_key", "rival's_key", "admin_key")
MEMBERS = {"owner": "owner", "biller": "billing_manager", "viewer": "viewer"}
GROUPS = {
    "finance": "Finance",
    "auditor": "Auditor",
    "operator": "Operator",
    "rates": "Rates editor",
    "support": "Support",
}
READS = [Scope.USAGE_READ, Scope.BILLING_READ, Scope.EVENTS_WRITE]


@dataclass
class World:
    """``rows``: one row of each model by its label; ``keys``: the secret of each API key by its column."""

    people: dict[str, User] = field(default_factory=dict)
    rows: dict[str, Model] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    invitation: str = ""

    def row(self, label: str) -> Any:
        return self.rows[label]


def build(make_user: Any) -> World:
    world = World()
    for name in SESSIONS[1:]:
        staff = {"role": "admin", "groups": [GROUPS[name]]} if name in GROUPS else {}
        world.people[name] = make_user(name, **({"role": "admin", "is_superuser": True} if name == "root" else staff))
    physics = Organisation.objects.create(name="Physics", billing_email="bills@example.ac.th")
    chemistry = Organisation.objects.create(name="Chemistry")
    project = Project.objects.create(organisation=physics, name="Low temperature")
    other = Project.objects.create(organisation=chemistry, name="Dyes")
    ProjectAccount.objects.create(project=project, account="physics")
    for name, role in MEMBERS.items():
        Member.objects.create(organisation=physics, user=world.people[name], role=role)
    Member.objects.create(organisation=chemistry, user=world.people["rival"], role="owner")
    member = Member.objects.create(organisation=physics, user=make_user("guest"), role="member")
    ProjectLead.objects.create(project=project, user=world.people["lead"])
    for each in (physics, project, member, world.people["alice"]):
        world.rows[each._meta.label] = each
    _owned_by_alice(world)
    _keys(world, project, other)
    rows.add_all(world)
    return world


def _owned_by_alice(world: World) -> None:
    account_tier("physics", "mu")
    day = (timezone.now() - timedelta(days=40)).replace(microsecond=0)
    world.rows["usage.Job"] = make_job(job_id=501, account="physics", job_name="lattice", end_at=day)
    window = {"start": day.date() - timedelta(days=2), "end": day.date() + timedelta(days=2)}
    made = create_receipts(actor=Actor("alice"), username="alice", **window)
    world.rows["billing.Receipt"] = made[0]
    world.rows["payments.Payment"] = start_payment(actor=Actor("alice"), receipt=made[0])
    later = (timezone.now() - timedelta(days=2)).replace(microsecond=0)
    make_job(job_id=502, account="physics", job_name="census", end_at=later)


def _keys(world: World, project: Project, other: Project) -> None:
    people, actor = world.people, Actor("root")
    for column, owned_by in {
        "alice's_key": {"user": people["alice"], "scopes": READS},
        "project_key": {"project": project, "scopes": READS},
        "rival's_key": {"project": other, "scopes": READS},
        "admin_key": {"user": people["finance"], "scopes": [Scope.ADMIN]},
    }.items():
        issued = issue_key(actor=actor, name=column, **owned_by)
        world.keys[column] = issued.secret
        if column == "alice's_key":
            world.rows["accounts.ApiKey"] = issued.key
