"""The API against its own description: whatever is sent, no answer is a fault or of a shape that is not described."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.models import Member, MemberRole
from accounts.services.api_keys import issue_key
from core.context import SYSTEM
from hpcbilling.wsgi import application
from tests.factories import make_project
from tests.usage.events import row
from usage.events.rows import Batch
from usage.events.store import open_store

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
EXAMPLES = int(os.environ.get("API_EXAMPLES", "3"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """As Django's own test client does: the end of a request must not close the connection of the test."""
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


@pytest.fixture
def keys(alice: Any, superuser: Any) -> dict[str, str]:
    """Of nobody, of a project, of its owner, and of an operator who may everything."""
    project = make_project()
    Member.objects.create(organisation=project.organisation, user=alice, role=MemberRole.OWNER)
    open_store().add(Batch([row(project)]))
    scopes = ["events:write", "usage:read", "billing:read"]
    return {
        "nobody": "",
        "project": issue_key(actor=SYSTEM, name="p", scopes=scopes, project=project).secret,
        "owner": issue_key(actor=SYSTEM, name="o", scopes=scopes, user=alice).secret,
        "operator": issue_key(actor=SYSTEM, name="a", scopes=["admin:*"], user=superuser).secret,
    }


@pytest.mark.parametrize("who", ["nobody", "project", "owner", "operator"])
def test_every_address_answers_as_it_is_described(keys: dict[str, str], who: str) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", app=application)
    headers = {"Authorization": f"Bearer {keys[who]}"} if keys[who] else {}
    faults = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @hypothesis_settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def ask(case: Any) -> None:
            case.headers = {**(case.headers or {}), **headers}
            case.call_and_validate(checks=CHECKS)

        try:
            ask()
        except Exception as error:
            faults.append(f"{operation.method} {operation.path}: {error}"[:1500])
    assert not faults, "\n\n".join(faults)
