"""Small makers of rows for tests; every default is a plausible ended job of Alice's."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.models import Organisation, Project, Tier, TierRule
from billing import triggers
from billing.models import RateVersion
from usage.models import ImportRun, ImportStatus, Job

_numbers = itertools.count(1000)
NOON = datetime(2026, 10, 15, 5, 0, tzinfo=UTC)  # noon in Bangkok


def make_run() -> ImportRun:
    run, _made = ImportRun.objects.get_or_create(
        source="csv", actor="system", status=ImportStatus.DONE, defaults={"finished_at": NOON, "data_until": NOON}
    )
    return run


def job_values(**fields: Any) -> dict[str, Any]:
    """Columns of a job: one hour on 4 cores and 8 GiB unless told; products follow the amounts."""
    number = fields.pop("job_id", None) or next(_numbers)
    values: dict[str, Any] = {
        "job_id": number,
        "job_id_display": str(number),
        "cluster": "bench",
        "username": "alice",
        "account": "physics",
        "partition": "normal",
        "state": "COMPLETED",
        "end_at": NOON,
        "elapsed_seconds": 3600,
        "cpus": 4,
        "gpus": 0,
        "mem_mib": 8192,
        "nodes": 1,
        "source": "csv",
        **fields,
    }
    elapsed, end = values["elapsed_seconds"], values["end_at"]
    values.setdefault("start_at", end - timedelta(seconds=elapsed) if end else NOON)
    values.setdefault("submit_at", values["start_at"])
    values.setdefault("cpu_core_seconds", values["cpus"] * elapsed)
    values.setdefault("gpu_seconds", values["gpus"] * elapsed)
    values.setdefault("mem_mib_seconds", values["mem_mib"] * elapsed)
    values.setdefault("job_key", f"{values['cluster']}:{number}:{int(values['submit_at'].timestamp())}")
    return values


def make_job(**fields: Any) -> Job:
    return Job.objects.create(import_run=make_run(), **job_values(**fields))


def make_jobs(number: int, **fields: Any) -> list[Job]:
    run = make_run()
    return Job.objects.bulk_create([Job(import_run=run, **job_values(**fields)) for _ in range(number)], 1000)


def account_tier(account: str, tier: str) -> TierRule:
    """Jobs of this Slurm account pay this tier."""
    position = (TierRule.objects.count() + 1) * 10
    return TierRule.objects.create(position=position, kind="account", pattern=account, tier=Tier.objects.get(pk=tier))


def change_versions(versions: QuerySet[RateVersion], **values: Any) -> int:
    """Edit rate versions as only somebody who takes the triggers off can."""
    connection.check_constraints()  # PostgreSQL drops no trigger of a table with checks still to come
    triggers.remove(connection)
    changed = versions.update(**values)
    triggers.install(connection)
    return changed


def make_project(organisation: str = "Institute", name: str = "imaging", **fields: Any) -> Project:
    """A project of an organisation; ``fields`` are the organisation's."""
    owner, _made = Organisation.objects.get_or_create(name=organisation, defaults=fields)
    return Project.objects.get_or_create(organisation=owner, name=name)[0]
