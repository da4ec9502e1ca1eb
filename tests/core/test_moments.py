"""Instants at either end of the calendar are refused by name, wherever the API reads one.

If this broke, anybody who is signed in could make the API answer 500 by a parameter.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
ENDS = ["0001-01-01", "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]


@pytest.fixture
def root(make_user: Any) -> Client:
    client = Client()
    client.force_login(make_user("root", role="admin", is_superuser=True))
    return client


@pytest.mark.parametrize("moment", ENDS)
@pytest.mark.parametrize(
    ("path", "name"),
    [("events", "start"), ("aggregates", "end"), ("meters", "start"), ("rates", "at"), ("exchange-rates", "at")],
)
def test_a_parameter_beyond_every_zone_is_refused(root: Client, path: str, name: str, moment: str) -> None:
    answer = root.get(f"/api/v1/{path}", {name: moment})
    assert answer.status_code == 400
    assert name in answer.json()["errors"]


@pytest.mark.parametrize("moment", ENDS)
@pytest.mark.parametrize(
    ("path", "name"), [("keys", "expires_at"), ("test-clocks", "frozen_time"), ("exchange-rates", "effective_from")]
)
def test_a_field_beyond_every_zone_is_refused(root: Client, path: str, name: str, moment: str) -> None:
    answer = root.post(f"/api/v1/{path}", json.dumps({name: moment}), content_type="application/json")
    assert answer.status_code == 400
    assert name in answer.json()["errors"]
