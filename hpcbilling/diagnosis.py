"""Problems of the configuration, in words: what is wrong, what to set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, InterfaceError, transaction

from core import registry
from core.errors import AppError
from hpcbilling.models import PeriodicTask
from hpcbilling.ops import readiness
from usage.sources.base import SourceRequest

SLURM_SECONDS = 10
# One second in which no job of any cluster ran: the whole way is walked, and the answer is short.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finding:
    """``level``: ok, note (works, but know it) or problem (blocks)."""

    name: str
    level: str
    message: str


def examine() -> Iterator[Finding]:
    yield from _database()
    yield _source()
    yield _provider()
    yield _address()
    yield _time_zone()
    yield _thai()
    yield from _system_checks()


def _database() -> Iterator[Finding]:
    state = readiness()
    reachable = state["database"] == "ok"
    words = f"The database {state['database']}; look at DATABASE_URL."
    yield Finding("database", "ok", "The database answers.") if reachable else Finding("database", "problem", words)
    if not reachable:
        return
    if state["migrations"] != "ok":
        yield Finding("migrations", "problem", f"Migrations {state['migrations']}. Run manage.py migrate.")
        return
    yield Finding("migrations", "ok", "All migrations are applied.")
    try:
        with transaction.atomic():
            PeriodicTask.objects.create(name="doctor tries to write")
            transaction.set_rollback(True)
    except (DatabaseError, InterfaceError) as error:
        yield Finding("writable", "problem", f"The database refuses to write: {error}")
    else:
        yield Finding("writable", "ok", "The database can be written.")


def _source() -> Finding:
    """The source that ``import_usage --source auto`` would take, asked as it would ask.

    Slurm that does not answer is a note and no problem: the site works without it, and must start.
    """
    silent: list[str] = []
    for key, name in _live_sources():
        if trouble := _trouble_with(key):
            silent.append(f"{name} does not answer: {trouble.rstrip('.')}.")
            continue
        words = " ".join([*silent, f"Usage comes from {name}, which answers."])
        return Finding("usage source", "note" if silent else "ok", words)
    if settings.FALLBACK_CSV:
        there = Path(settings.FALLBACK_CSV).is_file()
        words = f"Usage comes from the file {settings.FALLBACK_CSV}{'' if there else ', which does not exist'}."
        level = "problem" if not there else "note" if silent else "ok"
        return Finding("usage source", level, " ".join([*silent, words]))
    if silent:
        return Finding("usage source", "note", " ".join([*silent, "Nothing can be imported but files by hand."]))
    return Finding(
        "usage source", "note", "No usage source: set SLURMRESTD_URL, install sacct, or import files by hand."
    )


def _live_sources() -> Iterator[tuple[str, str]]:
    """Key and name of each Slurm that is set up, in the order in which they are tried."""
    if settings.SLURMRESTD_URL:
        yield "slurmrestd", f"slurmrestd at {settings.SLURMRESTD_URL}"
    if sacct := shutil.which("sacct"):
        yield "sacct", sacct


def _trouble_with(key: str) -> str:
    """What the source says when it is asked for next to nothing; empty when it answers."""
    request = SourceRequest(
        zone_of=lambda _cluster: ZoneInfo("UTC"),
        cluster=settings.SLURM_CLUSTER,
        start=LONG_AGO,
        end=LONG_AGO + timedelta(seconds=1),
    )
    source = registry.load("USAGE_SOURCES", key)(request)
    source.timeout = SLURM_SECONDS
    try:
        source.check()
        for _item in source.rows():
            break
    except AppError as error:
        return " ".join(error.message.split())
    return ""


def _provider() -> Finding:
    provider = settings.PAYMENT_PROVIDER
    if not provider:
        return Finding("payments", "note", "PAYMENT_PROVIDER is empty: receipts are marked paid by hand only.")
    if provider not in settings.PAYMENT_PROVIDERS:
        return Finding("payments", "problem", f"PAYMENT_PROVIDER={provider} is not known.")
    if provider == "dummy":
        return Finding("payments", "note", "The dummy provider moves no money; it works with DEBUG=1 only.")
    if not settings.PAYMENT_WEBHOOK_SECRET:
        return Finding("payments", "note", f"PAYMENT_WEBHOOK_SECRET is not set; see what {provider} needs.")
    return Finding("payments", "ok", f"Payments go through {provider}.")


def _address() -> Finding:
    address = settings.SITE_BASE_URL
    if address.startswith("https://"):
        return Finding("address", "ok", f"The site is {address}.")
    return Finding("address", "note" if settings.DEBUG else "problem", f"SITE_BASE_URL={address} is not https.")


def _time_zone() -> Finding:
    name = settings.TIME_ZONE
    if name not in available_timezones():
        return Finding("time zone", "problem", f"TIME_ZONE={name} is not a known zone.")
    return Finding("time zone", "ok", f"Billing days begin at midnight in {ZoneInfo(name)}.")


def _thai() -> Finding:
    catalogue = Path(settings.BASE_DIR) / "locale" / "th" / "LC_MESSAGES" / "django.mo"
    if catalogue.is_file():
        return Finding("Thai", "ok", "The Thai texts are compiled.")
    command = "pybabel compile -D 'django djangojs' -d locale"
    words = f"The Thai texts are not compiled: pages are English only. Run {command}."
    return Finding("Thai", "note", words)


def _system_checks() -> Iterator[Finding]:
    for message in checks.run_checks(include_deployment_checks=not settings.DEBUG):
        level = "problem" if message.level >= checks.ERROR else "note"
        words = f"{message.msg} {message.hint or ''}".strip()
        yield Finding(message.id or "check", level, words)
