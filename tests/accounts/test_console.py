"""The console's forms of organisations, projects and overrides."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import Organisation, Project, Tier, TierOverride

pytestmark = pytest.mark.django_db


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
