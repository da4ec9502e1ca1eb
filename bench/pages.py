"""pages: the server's time for each page of researchers and of the console, with a million jobs."""

from __future__ import annotations

import io
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import call_command

from bench import joblist, world
from bench.measure import Outcome, pairs, rows

LIMIT_MS = 100.0
MOST_STATEMENTS = 15
MOST_BYTES = 150_000
REQUESTS = 20  # of each page (BENCH_PAIRS changes it); the slowest but one is the 95th percentile
RECEIPTS = 20
MORE_OWN = ("/account/", "/usage/?period=all", "/usage/?period=all&view=aggregate", "/usage/?period=all&billed=no")
MORE_CONSOLE = (
    "/admin/search/?q=4711", "/admin/payments/refund/",
    "/admin/payments/paymentevent/", "/admin/usage/quarantinedrow/", "/admin/usage/adjustment/",
    "/admin/billing/receipt/run/?start=2025-07-01&end=2025-07-31&user=" + joblist.USER, "/admin/auth/group/2/change/",
    "/admin/auth/group/add/",
)  # fmt: skip
FINANCE = "bench-finance"


def run() -> Outcome:
    number = rows(1_000_000)
    joblist.fill(number)
    receipt, job = _people_and_receipts()
    project = _led_project()
    call_command("note_figures", stdout=io.StringIO())
    from tests.browser.addresses import CONSOLE, PAGES

    of_project = [f"/projects/{project}/", f"/projects/{project}/usage/", f"/projects/{project}/receipts/new/"]
    own = [*PAGES, *MORE_OWN, f"/receipts/{receipt}/", f"/usage/{job}/", *of_project]
    console = [*CONSOLE, *MORE_CONSOLE, f"/admin/billing/receipt/{receipt}/change/"]
    with _static_files():
        found = {path: _measure(joblist.USER, path) for path in own}
        found |= {path: _measure(FINANCE, path) for path in console}
    world.empty()
    slowest = max(found, key=lambda path: found[path]["p95_ms"])
    return Outcome(
        name="pages",
        ratio=found[slowest]["p95_ms"] / LIMIT_MS,
        goal=1.0,
        higher_is_better=False,
        limit=f"{LIMIT_MS:g} ms of the server for the 95th percentile of the slowest page",
        figures={"rows": number, "slowest": slowest, "pages": found},
        also=all(each["statements"] <= MOST_STATEMENTS and each["bytes"] <= MOST_BYTES for each in found.values()),
    )


def _people_and_receipts() -> tuple[int, int]:
    """Ids of a receipt of ``USER`` and of a job on it; some jobs stay unbilled."""
    from datetime import date

    from accounts.models import User
    from billing.services.receipts import create_receipts
    from core.context import SYSTEM
    from usage.models import Job

    User.objects.create_superuser(FINANCE, password=None)
    names = Job.objects.order_by().values_list("username", flat=True).distinct()[: RECEIPTS - 1]
    for name in dict.fromkeys([joblist.USER, *names]):
        User.objects.get_or_create(username=name)
        made = create_receipts(actor=SYSTEM, username=name, start=date(2024, 1, 1), end=date(2025, 6, 30))
        if name == joblist.USER:
            receipt = made[0]
    return receipt.pk, Job.objects.get(job_key=receipt.items.order_by("pk")[0].job_key).pk


def _led_project() -> int:
    """A project with the account of a sixtieth of the jobs, led by ``USER``."""
    from accounts.models import Organisation, Project, ProjectAccount, ProjectLead

    project = Project.objects.create(organisation=Organisation.objects.create(name="O"), name="P")
    ProjectAccount.objects.create(project=project, account="acct7")
    ProjectLead.objects.create(project=project, user_id=joblist.USER)
    return project.pk


@contextmanager
def _static_files() -> Iterator[None]:
    """Collected as for production, into a folder of their own."""
    from django.core.management import call_command
    from django.test import override_settings

    with TemporaryDirectory() as folder, override_settings(STATIC_ROOT=folder):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield


def _measure(username: str, path: str) -> dict[str, Any]:
    """Through the whole of Django, middleware and templates, without the network; the first request warms up."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client

    client = Client(SERVER_NAME="localhost", headers={"x-forwarded-proto": "https"})
    client.force_login(
        get_user_model().objects.get(username=username), backend="django.contrib.auth.backends.ModelBackend"
    )
    counted: list[int] = []

    def count(execute: Any, *statement: Any) -> Any:
        counted.append(1)
        return execute(*statement)

    answer = client.get(path, secure=True)
    if answer.status_code == 302:  # where the only one of its kind is opened at once
        path = answer.headers["Location"]
        client.get(path, secure=True)
    with connection.execute_wrapper(count):
        answer = client.get(path, secure=True)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    size = len(answer.content)
    took = []
    for _ in range(pairs(REQUESTS)):
        began = time.perf_counter()
        client.get(path, secure=True)
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "p50_ms": round(statistics.median(took), 1),
        "p95_ms": round(took[math.ceil(0.95 * len(took)) - 1], 1),
        "statements": len(counted),
        "bytes": size,
    }
