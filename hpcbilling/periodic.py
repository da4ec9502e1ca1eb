"""The periodic commands, and running those that are due. Each is claimed in the database: runners share the work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Q, QuerySet
from django.utils import timezone

from hpcbilling.models import PeriodicTask

logger = logging.getLogger("hpcbilling.periodic")
ERROR_LENGTH = 2000


def always() -> bool:
    return True


def live_source_configured() -> bool:
    """There is a Slurm to ask: its REST address, its configuration, or ``sacct`` on this machine."""
    return bool(settings.SLURMRESTD_URL or settings.SLURM_CONF or shutil.which("sacct"))


@dataclass(frozen=True, slots=True)
class Task:
    """``arguments`` of the command ``name``, run ``every`` so often. A runner that dies frees it after ``lease``."""

    name: str
    arguments: tuple[str, ...]
    every: timedelta
    wanted: Callable[[], bool] = always
    lease: timedelta = timedelta(hours=1)


TASKS = (
    Task("sync_rates", (), timedelta(minutes=5)),
    Task("import_usage", ("--source", "auto"), timedelta(hours=1), live_source_configured, timedelta(hours=6)),
    Task("clearsessions", (), timedelta(days=1)),
    Task("prune", ("--what", "throttle", "--older-than", "90d"), timedelta(days=1)),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status``: done, partial (exit 3), busy (exit 75: somebody else runs it) or failed; or due (``look``)."""

    name: str
    status: str
    error: str = ""


def run_due(tasks: tuple[Task, ...] = TASKS) -> Iterator[Outcome]:
    """Run what is due, one after the other; a failure does not keep the next from running."""
    for task in tasks:
        if task.wanted() and claim(task):
            outcome = _run(task)
            _release(outcome)
            yield outcome


def look(tasks: tuple[Task, ...] = TASKS) -> Iterator[Outcome]:
    """What ``run_due`` would run now. Claims and writes nothing."""
    for task in tasks:
        known = PeriodicTask.objects.filter(name=task.name).exists()
        if task.wanted() and (not known or _free(task, timezone.now()).exists()):
            yield Outcome(task.name, "due")


def claim(task: Task) -> bool:
    """True when the task is due and this call got it: the rows changed by the UPDATE are the lock."""
    now = timezone.now()
    PeriodicTask.objects.bulk_create([PeriodicTask(name=task.name)], ignore_conflicts=True)
    return bool(_free(task, now).update(claimed_until=now + task.lease))


def _free(task: Task, now: datetime) -> QuerySet[PeriodicTask]:
    """The task's row, when it is due and nobody runs it."""
    return PeriodicTask.objects.filter(
        Q(last_run_at__isnull=True) | Q(last_run_at__lte=now - task.every),
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        name=task.name,
    )


def _run(task: Task) -> Outcome:
    out = StringIO()
    code, error = 0, ""
    try:
        call_command(task.name, *task.arguments, stdout=out, stderr=out)
    except CommandError as refusal:
        code, error = refusal.returncode, str(refusal)
    except SystemExit as leaving:
        code, error = int(leaving.code or 0), out.getvalue()
    except Exception as fault:
        logger.exception("periodic task %s failed", task.name)
        code, error = 1, f"{type(fault).__name__}: {fault}"
    status = {0: "done", 3: "partial", 75: "busy"}.get(code, "failed")
    return Outcome(task.name, status, error[:ERROR_LENGTH] if code else "")


def _release(outcome: Outcome) -> None:
    PeriodicTask.objects.filter(name=outcome.name).update(
        last_run_at=timezone.now(), last_status=outcome.status, last_error=outcome.error, claimed_until=None
    )
