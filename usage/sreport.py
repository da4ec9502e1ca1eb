"""What Slurm's own ``sreport`` says was used in a stretch of time, per user and account."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from core.errors import Unavailable
from usage.sources import connections

SECONDS = 300
_FIELDS = "Cluster,Account,Login,TRESName,Used"
_TRES = {"cpu": "cpu", "gres/gpu": "gpu"}


@dataclass(slots=True)
class Used:
    """Core and GPU seconds inside a stretch of time, jobs cut at its ends."""

    cpu: int = 0
    gpu: int = 0


def is_installed() -> bool:
    return shutil.which("sreport") is not None


def used_between(start: datetime, end: datetime, *, zone: ZoneInfo, cluster: str) -> dict[tuple[str, str], Used]:
    """``(user, account)`` -> what it used in ``start <= t < end``. Raises ``Unavailable``.

    sreport reads and prints local time of its own process, so it runs in ``zone``: then the
    months of the site are months to it. slurmdbd keeps whole hours at the finest.
    """
    program = shutil.which("sreport") or "sreport"
    command = [
        program, "-n", "-P", "-t", "Seconds", "-T", ",".join(_TRES), "cluster", "AccountUtilizationByUser",
        f"Start={_stamp(start, zone)}", f"End={_stamp(end, zone)}", f"Clusters={cluster}", f"format={_FIELDS}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            env=_environment(zone, cluster),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(_("sreport did not answer: %(why)s") % {"why": error}) from error
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip()[:300] or _("it gave no reason")
        raise Unavailable(_("sreport failed with exit code %(code)d: %(why)s") % {"code": done.returncode, "why": why})
    return parse(done.stdout.decode("utf-8", "replace").splitlines(), cluster=cluster)


def parse(lines: Iterable[str], *, cluster: str) -> dict[tuple[str, str], Used]:
    """Rows of users; those of whole accounts (no login) are their sums and left out. Raises ``Unavailable``."""
    found: dict[tuple[str, str], Used] = {}
    for line in lines:
        if not line.strip():
            continue
        cells = line.split("|")
        if len(cells) != len(_FIELDS.split(",")) or not cells[-1].isdecimal():
            raise Unavailable(_("sreport answered something else than a table: %(line)s") % {"line": line[:200]})
        name, account, login, tres, seconds = cells
        if name != cluster or not login or tres not in _TRES:
            continue
        used = found.setdefault((login, account), Used())  # one row an association: a user may have several
        setattr(used, _TRES[tres], getattr(used, _TRES[tres]) + int(seconds))
    return found


def _stamp(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S")


def _environment(zone: ZoneInfo, cluster: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_TIME", "SREPORT_"))}
    if slurm_conf := connections.setting("SLURM_CONF", cluster):
        kept["SLURM_CONF"] = slurm_conf
    return kept | {"TZ": zone.key, "LC_ALL": "C.UTF-8"}
