"""What ``doctor`` says of the site around the program: proxy, names, files, runner, proof, clock, people."""

from __future__ import annotations

import os
import re
import stat
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Q
from django.http.request import validate_host
from django.utils import timezone

from accounts.models import Role, User
from accounts.services import stored_secrets
from audit import heads
from audit.models import AuditVerification
from billing.models import RateVersion
from billing.selectors.jobs.billable import OffLimits
from core.errors import AppError
from core.words.said import read
from core.words.wording import moment_text
from hpcbilling import unsafe
from hpcbilling.configuration.base import env
from hpcbilling.dot_env import unread
from hpcbilling.models import PeriodicTask
from usage.models import Job

Line = tuple[str, str, str]  # name, level, message
RUNNER_LATE = timedelta(minutes=15)
HEAD_LATE = timedelta(hours=3)
LOOKED_AT, MOST_NAMES = 10_000, 5  # newest jobs; logins that are named
CLOCK_OFF = timedelta(seconds=30)
OF_COMPOSE = ("POSTGRES_PASSWORD",)  # asked by compose.yaml alone
POOLER_PORTS = ("6432", "6543")
SECRET_FILES = ("SECRET_KEY_FILE", "AUDIT_SIGNING_KEY_FILE", "STRIPE_SECRET_KEY_FILE", "OMISE_SECRET_KEY_FILE",
                "RAZORPAY_KEY_SECRET_FILE", "ADMIN_PASSWORD_FILE", "DATABASE_URL_FILE")  # fmt: skip


def examine(*, migrated: bool) -> Iterator[Line]:
    """Those that ask the database only where it answers and is ``migrated``."""
    yield from _names()
    yield from _proxy()
    yield from _static_files()
    yield from _secret_files()
    yield from _misspelt()
    yield from _pooler()
    yield from _engine()
    yield from _mail_wire()
    if not migrated:
        return
    for look in (_wire, _people, _users, _secrets, _rates, _runner, _proof, _clock):
        yield from _asked(look)


def _asked(look: Callable[[], Iterator[Line]]) -> list[Line]:
    """A table that cannot be read was said before."""
    try:
        with transaction.atomic():
            return list(look())
    except (DatabaseError, InterfaceError):
        return []


def _names() -> Iterator[Line]:
    host = urlsplit(settings.SITE_BASE_URL).hostname or ""
    if validate_host(host, settings.ALLOWED_HOSTS):
        yield "names", "ok", f"The site answers to {host}."
    else:
        words = f"ALLOWED_HOSTS does not allow {host}, the name in SITE_BASE_URL: every page there is a 400. Add it."
        yield "names", "note" if settings.DEBUG else "problem", words


def _proxy() -> Iterator[Line]:
    if settings.DEBUG or not settings.SECURE_SSL_REDIRECT:
        return
    if settings.TRUSTED_PROXY_COUNT:
        yield "proxy", "ok", f"{settings.TRUSTED_PROXY_COUNT} proxies say who asks, and that it was over https."
    else:
        words = "TRUSTED_PROXY_COUNT is 0: behind a proxy with TLS every page leads to itself. Set 1 for one proxy."
        yield "proxy", "note", words


def _static_files() -> Iterator[Line]:
    if settings.DEBUG:
        return
    if getattr(staticfiles_storage, "manifest_hash", "no manifest") or not hasattr(staticfiles_storage, "hashed_files"):
        yield "static files", "ok", "Style sheets and scripts are collected."
    else:
        words = "Style sheets and scripts are not collected: every page is a 500. Run manage.py collectstatic."
        yield "static files", "problem", words


def _secret_files() -> Iterator[Line]:
    """Files of secrets that others on this machine may read."""
    named = [os.environ[name] for name in SECRET_FILES if os.environ.get(name)]
    named += [str(Path(settings.BASE_DIR) / ".env")]
    open_ones = []
    for name in named:
        try:
            mode = Path(name).stat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
            open_ones.append(name)
    if open_ones:
        words = f"Others on this machine may read or change {', '.join(open_ones)}. Run chmod 0640 on it."
        yield "secret files", "note", words


def _misspelt() -> Iterator[Line]:
    """Variables in .env that nothing reads. Those of other programs stand in .env.example, beside ours."""
    folder = Path(settings.BASE_DIR)
    try:
        listed = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (folder / ".env.example").read_text(encoding="utf-8"), re.M)
        found = unread(folder / ".env", {*listed, *env.asked, *OF_COMPOSE})
    except (OSError, UnicodeDecodeError):
        return
    if found:
        said = ", ".join(f"{name} ({near}?)" if near else name for name, near in sorted(found.items()))
        yield "variables", "note", f"Nothing reads these names in .env: {said}. See .env.example."


def _pooler() -> Iterator[Line]:
    if connection.vendor != "postgresql":
        return
    if settings.DATABASE_POOLED and not settings.DATABASE_DIRECT_URL:
        words = "DATABASE_POOLED is on without DATABASE_DIRECT_URL, the address past the pooler: no import works."
        yield "pooler", "problem", words
    elif not settings.DATABASE_POOLED and str(connection.settings_dict.get("PORT")) in POOLER_PORTS:
        words = "DATABASE_URL has a pooler's port. If it pools by transaction, set DATABASE_POOLED=1 (see there)."
        yield "pooler", "note", words


def _engine() -> Iterator[Line]:
    if connection.vendor == "sqlite" and not settings.DEBUG:
        words = "SQLite serves one machine and few users. Set DATABASE_URL to a PostgreSQL for more."
        yield "engine", "note", words


def _wire() -> Iterator[Line]:
    """Whether all that is kept here travels to the database for others to read; asked of the connection itself."""
    host = unsafe.host_of(connection.settings_dict)
    if connection.vendor != "postgresql" or unsafe.is_here(host):
        return
    connection.ensure_connection()
    if not connection.connection.pgconn.ssl_in_use:
        words = f"The connection to the database at {host} is not encrypted. Add ?sslmode=verify-full to DATABASE_URL."
        yield "database connection", "note", words


def _mail_wire() -> Iterator[Line]:
    host = settings.EMAIL_HOST
    if not settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend") or unsafe.is_here(host):
        return
    if not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL):
        words = f"E-mails and their password go to {host} unencrypted. Write EMAIL_URL as smtp+tls:// or smtp+ssl://."
        yield "mail connection", "note", words


def _people() -> Iterator[Line]:
    may = Q(is_superuser=True) | Q(role=Role.ADMIN, groups__name="Admin")
    if not User.objects.filter(may, is_active=True).exists():
        words = "Nobody can administer the site. Set ADMIN_PASSWORD and run manage.py bootstrap_admin."
        yield "administrator", "note", words


def _secrets() -> Iterator[Line]:
    found = stored_secrets.standing()
    if found.older:
        words = f"{found.older} are not encrypted with the present SECRET_KEY. Run manage.py seal_secrets."
        yield "stored secrets", "note", words
    if found.lost:
        words = (
            f"{found.lost} (second factors, webhooks) open with no key known here. Put the former SECRET_KEY into "
            "SECRET_KEY_FALLBACKS and run manage.py seal_secrets; else reset them one by one."
        )
        yield "stored secrets", "note", words  # no reason not to start: they are reset in the console


def _rates() -> Iterator[Line]:
    if not RateVersion.objects.filter(effective_at__lte=timezone.now()).exists():
        words = "No rates are in force: no receipt can be made. Set them in the console, under Rates."
        yield "rates", "note", words


def _users() -> Iterator[Line]:
    """Receipts are for users; a cluster's logins are none before somebody makes them."""
    newest = Job.objects.unbilled().exclude(account__in=OffLimits.load().invoiced).order_by("-pk")
    logins = set(newest.values_list("username", flat=True)[:LOOKED_AT])
    strangers = sorted(logins - set(User.objects.filter(pk__in=logins).values_list("pk", flat=True)))
    if strangers:
        some = ", ".join(strangers[:MOST_NAMES])
        words = f"No receipt takes the jobs of {len(strangers)} logins that have no user here, such as {some}."
        yield "users", "note", f"{words} docs/operations.md (Users) says how they come to be."


def _runner() -> Iterator[Line]:
    last = PeriodicTask.objects.order_by("-last_run_at").exclude(last_run_at=None).values_list("last_run_at", flat=True)
    newest = last.first()
    if newest is None:
        words = "No periodic work has ever run. Start hpcbilling-due.timer, or manage.py run_due --loop."
        yield "runner", "note", words
    elif timezone.now() - newest > RUNNER_LATE:
        words = f"No periodic work has ended since {moment_text(newest)}: is hpcbilling-due.timer alive?"
        yield "runner", "note", words
    failed = PeriodicTask.objects.filter(last_status="failed").order_by("name").values_list("name", "last_error")
    for name, error in failed:
        yield f"task {name}", "note", f"The last run failed: {textwrap.shorten(read(error), 200, placeholder=' …')}"


def _proof() -> Iterator[Line]:
    newest = AuditVerification.objects.first()
    if newest is not None and not newest.ok:
        words = f"The audit log is not whole ({newest.reason}). Keep the database as it is; see docs/operations.md."
        yield "audit log", "note", words
    if not heads.configured():
        words = "Nothing signs the audit log: set AUDIT_HEADS_FILE and AUDIT_SIGNING_KEY_FILE (see audit_key)."
        yield "audit heads", "note", words
        return
    yield from _heads()


def _heads() -> Iterator[Line]:
    file = Path(settings.AUDIT_HEADS_FILE)
    try:
        log = heads.load()
    except AppError as error:
        yield "audit heads", "problem", error.message
        return
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        yield "audit heads", "note", f"{file} cannot be written by this user: nothing is signed from here."
    elif log is not None and log.faults:
        yield "audit heads", "note", f"{file}: {log.faults[0]}."
    elif heads.is_lost(log):
        words = f"{file} held heads and holds none now. Put it back; nothing is signed until then (docs/audit.md)."
        yield "audit heads", "note", words
    elif log is None or log.newest is None:
        yield "audit heads", "note", f"{file} holds no head yet; the runner writes one within the hour."
    elif timezone.now() - (signed := datetime.fromisoformat(log.newest["at"])) > HEAD_LATE:
        yield "audit heads", "note", f"The newest head is of {moment_text(signed)}; run manage.py sign_audit_head."
    else:
        yield "audit heads", "ok", f"Signed up to entry {log.newest['id']}."


def _clock() -> Iterator[Line]:
    """Windows, expiries and signatures of webhooks are judged by our clock, moments of rows are also the database's."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        off = abs(timezone.now() - cursor.fetchone()[0])
    if off > CLOCK_OFF:
        words = f"Our clock and the database's differ by {off.total_seconds():.0f} s. Run NTP on both machines."
        yield "clock", "note", words
