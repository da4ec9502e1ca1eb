"""The console's forms of organisations, projects and overrides; the console is the one writer of overrides."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation, Project, Tier, TierOverride
from audit.models import AuditLog

pytestmark = pytest.mark.django_db
OVERRIDES = "/admin/accounts/tieroverride/"
AGREED = {"username": "alice", "tier": "gov", "reason": "agreed by letter", "valid_from": "", "valid_until": ""}


@pytest.mark.parametrize("model", ["organisation", "project", "tieroverride"])
def test_a_form_for_something_new_shows_no_time_of_creation(client: Client, superuser: Any, model: str) -> None:
    client.force_login(superuser)
    page = client.get(f"/admin/accounts/{model}/add/").content.decode()
    assert "DatabaseDefault" not in page
    assert "field-created_at" not in page


def test_the_time_of_creation_is_shown_on_what_exists(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    tier = Tier.objects.get(pk="private")
    organisation = Organisation.objects.create(name="Physics", tier=tier)
    rows = (
        organisation,
        Project.objects.create(name="p1", organisation=organisation),
        TierOverride.objects.create(username="alice", tier=tier, reason="x", set_by="root"),
    )
    for row in rows:
        page = client.get(f"/admin/accounts/{row._meta.model_name}/{row.pk}/change/").content.decode()
        assert "field-created_at" in page


def test_an_override_is_set_changed_and_removed_and_each_is_audited_once_with_old_and_new(
    client: Client, finance: Any
) -> None:
    client.force_login(finance)
    client.post(f"{OVERRIDES}add/", {**AGREED, "username": " ALICE "})
    row = TierOverride.objects.get()
    assert (row.username, row.tier_id, row.set_by) == ("alice", "gov", "fin")
    client.post(f"{OVERRIDES}{row.pk}/change/", {**AGREED, "tier": "mu"})
    client.post(f"{OVERRIDES}{row.pk}/delete/", {"post": "yes"})
    client.post(f"{OVERRIDES}{row.pk}/delete/", {"post": "yes"})
    assert not TierOverride.objects.exists()
    entries = AuditLog.objects.filter(entity_type="tieroverride").order_by("id")
    assert [(entry.action, entry.actor, entry.changes["tier"]) for entry in entries] == [
        ("object_add", "fin", [None, "gov"]), ("object_change", "fin", ["gov", "mu"]),
        ("object_delete", "fin", ["mu", None]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"tier": "gold"}, "tier", "valid choice"),
        ({"reason": "  "}, "reason", "required"),
        ({"username": " "}, "username", "required"),
        ({"username": "x" * 65}, "username", "at most 64"),
        ({"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "valid_until", "lies before the first"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused_beside_its_field(
    client: Client, finance: Any, wrong: dict[str, str], field: str, words: str
) -> None:
    client.force_login(finance)
    answer = client.post(f"{OVERRIDES}add/", {**AGREED, **wrong})
    assert answer.status_code == 200
    assert words in str(answer.context["adminform"].form.errors[field])
    assert not TierOverride.objects.exists()
