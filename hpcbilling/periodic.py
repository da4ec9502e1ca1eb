"""The periodic commands, and running those that are due. Each is claimed in the database: runners share the work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from itertools import chain

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit import heads
from core.commands import Terminated
from core.words.said import written
from hpcbilling.models import PeriodicTask
from payments import providers
from usage.services.opening import further_sources, source_of
from usage.sources import connections

logger = logging.getLogger("hpcbilling.periodic")
ERROR_LENGTH = 2000


def always() -> bool:
    return True


def live_source_configured(cluster: str = "") -> bool:
    """There is something to import from by itself: a slurmrestd, a slurm.conf, ``sacct`` on this machine, or a
    live source that a site has added.

    For a cluster whose chosen source is ``csv``, its file.
    """
    cluster = cluster or settings.SLURM_CLUSTER
    if source_of(cluster) == "csv":
        return bool(connections.fallback_csv(cluster))
    configured = connections.url(cluster) or connections.setting("SLURM_CONF", cluster)
    return bool(configured or shutil.which("sacct") or any(further_sources(cluster)))


def payments_in_use() -> bool:
    """Somebody can pay here, or a payment begun while they could is not over."""
    return bool(providers.in_use())


def mail_goes_out() -> bool:
    """Without ``EMAIL_URL`` e-mails are printed: right for a demonstration, while a real site's wait for a server."""
    return settings.DEBUG or not settings.EMAIL_BACKEND.endswith(".console.EmailBackend")


def model_server_configured() -> bool:
    return bool(settings.LITELLM_URL)


def exchange_feed_configured() -> bool:
    return bool(settings.EXCHANGE_RATES_URL)


@dataclass(frozen=True, slots=True)
class Task:
    """``arguments`` of the command ``name``, run ``every`` so often. A runner that dies frees it after ``lease``.

    With ``clusters`` it is a task of its own for each of ``SLURM_CLUSTERS``, where these are set.
    """

    name: str
    arguments: tuple[str, ...]
    every: timedelta
    wanted: Callable[[], bool] = always
    lease: timedelta = timedelta(hours=1)
    clusters: bool = False
    cluster: str = ""

    @property
    def key(self) -> str:
        """Its name in the database and for people."""
        return f"{self.name} {self.cluster}".strip()

    def each(self) -> Iterator[Task]:
        if not self.clusters or not settings.SLURM_CLUSTERS:
            yield self
            return
        for cluster in settings.SLURM_CLUSTERS:
            yield replace(
                self,
                arguments=(*self.arguments, "--cluster", cluster),
                wanted=partial(live_source_configured, cluster),
                clusters=False,
                cluster=cluster,
            )


# Messages first: they are many, quick, and somebody waits for them. Reconciliation before retries: it closes
# checkouts that never opened, so that a retry can open another.
TASKS = (
    Task("process_webhooks", (), timedelta(minutes=1), payments_in_use),
    Task("send_emails", (), timedelta(minutes=1), mail_goes_out),
    Task("send_webhooks", (), timedelta(minutes=1)),
    Task("note_figures", (), timedelta(minutes=10)),
    Task("sync_rates", (), timedelta(minutes=5)),
    Task("sync_model_prices", (), timedelta(minutes=5)),
    Task("watch_quotas", (), timedelta(minutes=1)),
    Task("renew_subscriptions", (), timedelta(hours=1)),
    Task("send_reminders", (), timedelta(hours=1)),
    Task("expire_subscriptions", (), timedelta(minutes=5)),
    Task("sync_models", (), timedelta(hours=1), model_server_configured),
    Task("post_journal", (), timedelta(minutes=10)),
    Task("import_exchange_rates", (), timedelta(days=1), exchange_feed_configured),
    Task("deliver_invoices", (), timedelta(minutes=5)),
    Task("evaluate_alerts", (), timedelta(minutes=5)),
    Task("reconcile_payments", (), timedelta(hours=1), payments_in_use),
    Task("retry_payments", (), timedelta(hours=1), payments_in_use),
    Task(
        "import_usage",
        ("--source", "auto"),
        timedelta(hours=1),
        live_source_configured,
        timedelta(hours=6),
        clusters=True,
    ),
    Task("refresh_aggregates", (), timedelta(hours=1)),
    Task("sign_audit_head", (), timedelta(hours=1), heads.configured),
    Task("verify_audit", (), timedelta(days=1)),
    Task("clearsessions", (), timedelta(days=1)),
    Task("prune", ("--what", "throttle,emails,deliveries,idempotency", "--older-than", "90d"), timedelta(days=1)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status``: done, partial (exit 3), busy (exit 75: somebody else runs it) or failed; or due (``look``)."""

    name: str
    status: str
    error: str = ""


def run_due(tasks: tuple[Task, ...] = TASKS) -> Iterator[Outcome]:
    """Run what is due, one after the other; a failure does not keep the next from running."""
    for task in _each(tasks):
        if task.wanted() and claim(task):
            outcome = _run(task)
            _release(outcome)
            yield outcome


def look(tasks: tuple[Task, ...] = TASKS) -> Iterator[Outcome]:
    """What ``run_due`` would run now. Claims and writes nothing."""
    for task in _each(tasks):
        known = PeriodicTask.objects.filter(name=task.key).exists()
        if task.wanted() and (not known or _free(task, timezone.now()).exists()):
            yield Outcome(task.key, "due")


def _each(tasks: tuple[Task, ...]) -> Iterator[Task]:
    return chain.from_iterable(task.each() for task in tasks)


def claim(task: Task) -> bool:
    """True when the task is due and this call got it: the rows changed by the UPDATE are the lock."""
    now = timezone.now()
    PeriodicTask.objects.bulk_create([PeriodicTask(name=task.key)], ignore_conflicts=True)
    return bool(_free(task, now).update(claimed_until=now + task.lease))


def _free(task: Task, now: datetime) -> QuerySet[PeriodicTask]:
    """The task's row, when it is due and nobody runs it."""
    return PeriodicTask.objects.filter(
        Q(last_run_at__isnull=True) | Q(last_run_at__lte=now - task.every),
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        name=task.key,
    )


def _run(task: Task) -> Outcome:
    out = StringIO()
    code, error = 0, ""
    try:
        call_command(task.name, *task.arguments, stdout=out, stderr=out)
    except CommandError as refusal:
        code, error = refusal.returncode, refusal.args[0] if refusal.args else ""
    except Terminated:  # meant for the runner
        raise
    except SystemExit as leaving:
        code, error = int(leaving.code or 0), out.getvalue()
    except Exception as fault:
        logger.exception("periodic task %s failed", task.key)
        code, error = 1, f"{type(fault).__name__}: {fault}"
    status = {0: "done", 3: "partial", 75: "busy"}.get(code, "failed")
    return Outcome(task.key, status, written(error, most=ERROR_LENGTH) if code else "")


def _release(outcome: Outcome) -> None:
    PeriodicTask.objects.filter(name=outcome.name).update(
        last_run_at=timezone.now(), last_status=outcome.status, last_error=outcome.error, claimed_until=None
    )
