"""Names of clusters, and of the environment variables that belong to one of them. No Django: settings import it."""

from __future__ import annotations

import re

# Each may be set for one cluster as NAME__<cluster>; the plain NAME is the default of all.
SETTINGS = (
    "SLURMRESTD_URL", "SLURMRESTD_TOKEN", "SLURMRESTD_USER", "SLURMRESTD_API_VERSION", "SLURMRESTD_TLS_VERIFY",
    "SLURM_CONF", "FALLBACK_CSV",
)  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")  # slurmdbd takes 40 characters at the most


def suffix(cluster: str) -> str:
    """The end of a variable's name: what such a name cannot hold becomes ``_``."""
    return re.sub(r"[^A-Za-z0-9_]", "_", cluster)


def variable(name: str, cluster: str) -> str:
    return f"{name}__{suffix(cluster)}"
