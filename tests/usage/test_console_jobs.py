"""The console's list of jobs asks nothing that grows with ten million of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_jobs
from usage.models import Cluster

pytestmark = pytest.mark.django_db
LIST = "/admin/usage/job/"


def test_no_count_without_a_limit_and_no_list_of_values_read_from_the_jobs(client: Any, finance: Any) -> None:
    make_jobs(101)  # more than a page
    client.force_login(finance)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(LIST).status_code == 200
    about_jobs = [query["sql"] for query in asked if '"jobs"' in query["sql"]]
    assert about_jobs
    for sql in about_jobs:
        assert "DISTINCT" not in sql, sql
        assert "LIMIT" in sql, sql


@pytest.mark.parametrize(
    ("question", "found"),
    [("cluster=bench", 2), ("cluster=other", 1), ("state=FAILED", 1), ("source=csv", 3), ("source=sacct", 0)],
)
def test_filters_of_known_values(client: Any, finance: Any, question: str, found: int) -> None:
    Cluster.objects.get_or_create(name="bench")
    Cluster.objects.get_or_create(name="other")
    make_jobs(1)
    make_jobs(1, state="FAILED")
    make_jobs(1, cluster="other")
    client.force_login(finance)
    page = client.get(f"{LIST}?{question}").content.decode()
    assert page.count('class="field-username"') == found
