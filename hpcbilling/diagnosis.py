"""Problems of the configuration, in words: what is wrong, what to set."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, InterfaceError, transaction

from hpcbilling.models import PeriodicTask
from hpcbilling.ops import readiness


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
    if settings.SLURMRESTD_URL:
        if not (settings.SLURMRESTD_TOKEN or settings.SLURM_JWT):
            return Finding("usage source", "note", "SLURMRESTD_URL is set without SLURMRESTD_TOKEN or SLURM_JWT.")
        return Finding("usage source", "ok", "Usage comes from slurmrestd.")
    if sacct := shutil.which("sacct"):
        return Finding("usage source", "ok", f"Usage comes from {sacct}.")
    if settings.FALLBACK_CSV:
        there = Path(settings.FALLBACK_CSV).is_file()
        words = f"Usage comes from the file {settings.FALLBACK_CSV}{'' if there else ', which does not exist'}."
        return Finding("usage source", "ok" if there else "problem", words)
    return Finding(
        "usage source", "note", "No usage source: set SLURMRESTD_URL, install sacct, or import files by hand."
    )


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
    words = "The Thai texts are not compiled: pages are English only. Run pybabel compile -D django -d locale."
    return Finding("Thai", "note", words)


def _system_checks() -> Iterator[Finding]:
    for message in checks.run_checks(include_deployment_checks=not settings.DEBUG):
        level = "problem" if message.level >= checks.ERROR else "note"
        words = f"{message.msg} {message.hint or ''}".strip()
        yield Finding(message.id or "check", level, words)
