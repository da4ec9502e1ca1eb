"""Names that an export may be asked for: those that are here, and those of jobs, which stay when people leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.conf import settings

from accounts.models import ProjectAccount, Tier, User
from usage.models import Job


def _is_user(name: str) -> bool:
    return User.objects.filter(pk=name).exists() or Job.objects.filter(username=name).exists()


def _is_account(name: str) -> bool:
    return Job.objects.filter(account=name).exists() or ProjectAccount.objects.filter(account=name).exists()


def _is_cluster(name: str) -> bool:
    return name in (settings.SLURM_CLUSTER, *settings.SLURM_CLUSTERS) or Job.objects.filter(cluster=name).exists()


def _is_tier(name: str) -> bool:
    return Tier.objects.filter(pk=name).exists()


KNOWN: Mapping[str, Callable[[str], bool]] = {
    "user": _is_user, "account": _is_account, "cluster": _is_cluster, "tier": _is_tier,
}  # fmt: skip
