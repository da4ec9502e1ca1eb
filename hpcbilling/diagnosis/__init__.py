"""Problems of the configuration, in words: what is wrong, what to set."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, transaction
from django.db.utils import ConnectionHandler

from billing.documents import fonts
from billing.selectors.documents.templates import standard_look
from billing.templating import sandbox
from billing.templating.problems import Refused
from billing.words.templates import in_words
from core import registry
from core.errors import AppError
from hpcbilling.diagnosis import payments, site
from hpcbilling.models import PeriodicTask
from hpcbilling.ops import readiness, trouble
from hpcbilling.upgrades import unknown
from usage.services.opening import AUTO, further_sources, source_of
from usage.sources import connections
from usage.sources.base import SourceRequest, UsageSource

SLURM_SECONDS = 10
MAIL_SECONDS = 3
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
    yield from _sources()
    yield from _payments()
    yield _address()
    yield _mail()
    yield _time_zone()
    yield _thai()
    yield _documents()
    yield from _site()
    yield _templates()
    yield from _system_checks()


def _site() -> Iterator[Finding]:
    """Whatever is around the program; what asks the database only where that can be asked."""
    for name, level, message in site.examine(migrated=readiness()["migrations"] == "ok"):
        yield Finding(name, level, message)


def _database() -> Iterator[Finding]:
    state = readiness()
    if settings.DATABASE_DIRECT_URL:
        own = ConnectionHandler({DEFAULT_DB_ALIAS: settings.DATABASE_OF_THE_SITE})
        yield _reached("database of the site", "DATABASE_URL", trouble(own))
    name = "DATABASE_DIRECT_URL" if settings.DATABASE_DIRECT_URL else "DATABASE_URL"
    yield _reached("database", name, trouble())
    if state["database"] != "ok":
        return
    if state["migrations"] != "ok":
        yield Finding("migrations", "problem", f"Migrations {state['migrations']}. Run manage.py migrate.")
        return
    if newer := unknown():
        words = f"A newer version has migrated this database; this code does not know {', '.join(newer)}."
        yield Finding("migrations", "note", f"{words} It may serve until that version takes over.")
    else:
        yield Finding("migrations", "ok", "All migrations are applied.")
    try:
        with transaction.atomic():
            PeriodicTask.objects.create(name="doctor tries to write")
            transaction.set_rollback(True)
    except (DatabaseError, InterfaceError) as error:
        yield Finding("writable", "problem", f"The database refuses to write: {error}")
    else:
        yield Finding("writable", "ok", "The database can be written.")


def _reached(name: str, variable: str, said: str) -> Finding:
    words = f"The database cannot be reached; look at {variable}: {said}"
    return Finding(name, "problem", words) if said else Finding(name, "ok", "The database answers.")


def _sources() -> Iterator[Finding]:
    if not settings.SLURM_CLUSTERS:
        yield _source("usage source", settings.SLURM_CLUSTER)
        return
    for cluster in settings.SLURM_CLUSTERS:
        yield _source(f"usage source of {cluster}", cluster)


def _source(title: str, cluster: str) -> Finding:
    """The source that ``import_usage --source auto`` would take, asked as it would ask.

    Slurm that does not answer is a note and no problem: the site works without it, and must start.
    """
    chosen = _chosen(cluster)
    if chosen not in (AUTO, *settings.USAGE_SOURCES):
        words = f"The cluster {cluster} has the source {chosen!r}, which is not known."
        return Finding(title, "problem", words)
    silent: list[str] = []
    for key, name in _live_sources(cluster, chosen):
        trouble, note = _ask(key, cluster)
        if trouble:
            silent.append(f"{name} does not answer: {trouble.rstrip('.')}.")
            continue
        words = " ".join([*silent, f"Usage comes from {name}, which answers.", note]).strip()
        return Finding(title, "note" if silent or note else "ok", words)
    file = connections.fallback_csv(cluster) if chosen in (AUTO, "csv") else ""
    if file:
        there = Path(file).is_file()
        words = f"Usage comes from the file {file}{'' if there else ', which does not exist'}."
        level = "problem" if not there else "note" if silent else "ok"
        return Finding(title, level, " ".join([*silent, words]))
    if silent:
        return Finding(title, "note", " ".join([*silent, "Nothing can be imported but files by hand."]))
    return Finding(title, "note", "No usage source: set SLURMRESTD_URL, install sacct, or import files by hand.")


def _chosen(cluster: str) -> str:
    """What the administrators chose for the cluster, where the database can say it."""
    try:
        with transaction.atomic():
            return source_of(cluster)
    except (DatabaseError, InterfaceError):
        return AUTO


def _live_sources(cluster: str, chosen: str) -> Iterator[tuple[str, str]]:
    """Key and name of each live source that is set up, in the order in which they are tried."""
    further = list(further_sources(cluster))
    for key in settings.USAGE_SOURCES if chosen == AUTO else (chosen,):
        if key == "slurmrestd" and (address := connections.url(cluster)):
            # An address that is refused may hold a password.
            yield key, key if connections.trouble(cluster) else f"slurmrestd at {address}"
        elif key == "sacct" and (sacct := shutil.which("sacct")):
            yield key, sacct
        elif key in further:
            yield key, key


def _ask(key: str, cluster: str) -> tuple[str, str]:
    """The source's trouble when it is asked for next to nothing, and what it hides; both empty when all is well."""
    request = SourceRequest(
        zone_of=lambda _cluster: ZoneInfo("UTC"),
        cluster=cluster,
        only_cluster=cluster if cluster in settings.SLURM_CLUSTERS else "",
        start=LONG_AGO,
        end=LONG_AGO + timedelta(seconds=1),
    )
    source: UsageSource = registry.load("USAGE_SOURCES", key)(request)
    source.timeout = SLURM_SECONDS
    try:
        source.check()
        for _batch in source.batches():
            pass
    except AppError as error:
        return " ".join(error.message.split()), ""
    return "", "" if source.whole else source.notes[-1]


def _payments() -> Iterator[Finding]:
    for name, level, message in payments.examine():
        yield Finding(name, level, message)


def _address() -> Finding:
    address = settings.SITE_BASE_URL
    if address.startswith("https://"):
        return Finding("address", "ok", f"The site is {address}.")
    return Finding("address", "note" if settings.DEBUG else "problem", f"SITE_BASE_URL={address} is not https.")


def _mail() -> Finding:
    """Whether anybody listens there. No sign-in is tried: that is its own event at the mail server, and ``send_emails``
    says what it answers."""
    if settings.EMAIL_HOST and settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend"):
        try:
            socket.create_connection((settings.EMAIL_HOST, settings.EMAIL_PORT), timeout=MAIL_SECONDS).close()
        except OSError as error:
            words = f"Nobody answers at {settings.EMAIL_HOST}, port {settings.EMAIL_PORT}; look at EMAIL_URL: {error}"
            return Finding("e-mail", "note", words)
        return Finding("e-mail", "ok", f"E-mails go out by {settings.EMAIL_HOST} as {settings.DEFAULT_FROM_EMAIL}.")
    fate = _fate() if settings.DEBUG else "wait in the database"
    return Finding("e-mail", "note", f"No mail server: e-mails {fate}. Set EMAIL_URL to send them.")


def _fate() -> str:
    """What becomes of e-mails on a desk."""
    kind = settings.EMAIL_BACKEND.split(".")[-2]
    fates = {
        "filebased": f"are written to files in {getattr(settings, 'EMAIL_FILE_PATH', '') or 'the working folder'}",
        "locmem": "stay in the memory of the process that sends them",
        "dummy": "are thrown away, and called sent",
    }
    return fates.get(kind, "are printed")


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


def _documents() -> Finding:
    """Receipts as PDF: English needs no font, Thai does."""
    try:
        pair = fonts.thai()
    except fonts.NoThaiFont as error:
        reason = error.details.get("reason", "")
        words = f"{error.message} {reason} Until then receipts are PDF in English only.".replace("  ", " ")
        return Finding("documents", "problem" if settings.PDF_FONT else "note", words)
    bold = "" if pair.bold is not pair.regular else " It has no bold file here."
    return Finding("documents", "ok", f"Thai documents are set in {pair.regular.path}.{bold}")


def _templates() -> Finding:
    """Whether the process that sets invoices by templates runs here: the standard look, read by it."""
    try:
        sandbox.check(*standard_look())
    except Refused as refused:
        words = f"Templates of invoices cannot be set here: {in_words(refused.problems[0])}"
        return Finding("templates", "note", f"{words} Invoices have the built-in look until then.")
    return Finding("templates", "ok", "Templates of invoices are set in a process of their own.")


def _system_checks() -> Iterator[Finding]:
    for message in checks.run_checks(include_deployment_checks=not settings.DEBUG):
        level = "problem" if message.level >= checks.ERROR else "note"
        words = f"{message.msg} {message.hint or ''}".strip()
        yield Finding(message.id or "check", level, words)
