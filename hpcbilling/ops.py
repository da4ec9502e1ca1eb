"""What a load balancer and a monitoring system ask: alive, ready, numbers."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_address

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import ConnectionHandler
from django.db.utils import Error as DatabaseTrouble
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView

from core.context import client_ip
from hpcbilling import __version__

PROBE_SECONDS = 2


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of the database: restarting us would not mend that."""
    return JsonResponse({"status": "ok", "version": __version__})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """503 while the database is away or migrations are missing; says which."""
    checks = readiness()
    ready = all(value == "ok" for value in checks.values())
    body = {"status": "ok" if ready else "unavailable", "checks": checks, "version": __version__}
    return JsonResponse(body, status=200 if ready else 503)


def readiness() -> dict[str, str]:
    """``ok`` or a short reason for each of database and migrations. Never names hosts or passwords."""
    try:
        with probe() as connection:
            missing = migration_leaves() - set(MigrationRecorder(connection).applied_migrations())
    except DatabaseTrouble as error:
        return {"database": f"cannot be reached ({type(error).__name__})", "migrations": "unknown"}
    pending = ", ".join(sorted(f"{app}.{name}" for app, name in missing))
    return {"database": "ok", "migrations": f"not applied: {pending}" if missing else "ok"}


def trouble(databases: ConnectionHandler = connections) -> str:
    """What the database (or its driver) says when it cannot be reached, with host and user; empty when it answers."""
    try:
        with probe(databases) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseTrouble as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


@contextmanager
def probe(databases: ConnectionHandler = connections) -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own that gives up after two seconds, so that a hung server cannot hang the question."""
    connection = databases.create_connection(DEFAULT_DB_ALIAS)
    options = {**connection.settings_dict.get("OPTIONS", {})}
    if connection.vendor == "postgresql":
        options |= {"connect_timeout": PROBE_SECONDS}
    else:
        options |= {"timeout": PROBE_SECONDS}
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
    try:
        if connection.vendor == "postgresql":  # of this transaction alone: a pooler takes no options of a session
            connection.set_autocommit(False)
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{PROBE_SECONDS}s'")
        yield connection
    finally:
        connection.close()


@lru_cache(maxsize=1)
def migration_leaves() -> set[tuple[str, str]]:
    """The newest migration of each app in this code. Read from disk once."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {(app, name) for app, name in loader.graph.leaf_nodes()}


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: with METRICS_TOKEN for its bearer, without one for this machine only."""
    if not settings.METRICS_ENABLED:
        raise Http404
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
            refusal = HttpResponse("A bearer token is needed.\n", status=401, content_type="text/plain")
            refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refusal
    elif not _is_this_machine(request):
        return HttpResponse("Set METRICS_TOKEN to read metrics from afar.\n", status=403, content_type="text/plain")
    response: HttpResponse = ExportToDjangoView(request)
    return response


def _is_this_machine(request: HttpRequest) -> bool:
    # A proxy on this machine makes everybody look local; what it forwards is not.
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))
    return not forwarded and ip_address(client_ip(request)).is_loopback
