"""How each cluster's Slurm is reached: from the environment alone, ``NAME__<cluster>`` before plain ``NAME``."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from core.errors import Misconfigured
from core.words.said import told as _
from usage import clusters

_SWITCHES = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def own(name: str, cluster: str) -> str:
    """The cluster's own setting, or nothing."""
    return str(settings.SLURM_PER_CLUSTER.get(cluster, {}).get(name, ""))


def setting(name: str, cluster: str) -> str:
    return own(name, cluster) or str(getattr(settings, name))


def variable(name: str, cluster: str) -> str:
    """The variable to look at when that setting is wrong or missing."""
    return clusters.variable(name, cluster) if own(name, cluster) else name


def url(cluster: str) -> str:
    return setting("SLURMRESTD_URL", cluster).rstrip("/")


def token(cluster: str) -> str:
    return setting("SLURMRESTD_TOKEN", cluster) or settings.SLURM_JWT


def token_user(cluster: str) -> str:
    """Whom the token was made for, where that is set: a token of its own brings a user of its own."""
    if own("SLURMRESTD_TOKEN", cluster):
        return own("SLURMRESTD_USER", cluster)
    return setting("SLURMRESTD_USER", cluster)


def fallback_csv(cluster: str) -> str:
    """The plain file is the main cluster's: its rows may name no cluster, and must not become another's."""
    if cluster in settings.SLURM_CLUSTERS and cluster != settings.SLURM_CLUSTER:
        return own("FALLBACK_CSV", cluster)
    return setting("FALLBACK_CSV", cluster)


def trust(cluster: str) -> bool | str:
    """Whether TLS certificates are checked, or the path of the CA file to check them with."""
    value = setting("SLURMRESTD_TLS_VERIFY", cluster)
    return _SWITCHES.get(value.lower(), value)


def trouble(cluster: str) -> str:
    """What is wrong with the cluster's connection settings, by variable; empty when nothing is.

    No message repeats an address that holds a password.
    """
    address = url(cluster)
    if address and (problem := _address_trouble(address)):
        return problem % {"name": variable("SLURMRESTD_URL", cluster), "value": address}
    version = setting("SLURMRESTD_API_VERSION", cluster)
    if version and not re.fullmatch(r"v?0\.0\.[0-9]+", version):
        words = _("%(name)s is %(value)r; write it as v0.0.40, or leave it empty.")
        return words % {"name": variable("SLURMRESTD_API_VERSION", cluster), "value": version}
    verify = trust(cluster)
    if isinstance(verify, str) and not Path(verify).exists():
        words = _("%(name)s is %(value)r: neither true nor false nor a file that exists.")
        return words % {"name": variable("SLURMRESTD_TLS_VERIFY", cluster), "value": verify}
    return ""


def _address_trouble(address: str) -> str:
    """Words with ``name`` (of the variable) and perhaps ``value`` to be filled in."""
    try:
        parts = urlsplit(address)
        whole = parts.port is None or parts.port > 0
    except ValueError:
        return _("%(name)s is no address: http://host:6820 is wanted.")
    if parts.username is not None or parts.password is not None:
        return _("%(name)s holds a user name or a password: the token alone opens slurmrestd.")
    if not whole or parts.scheme not in ("http", "https") or not parts.hostname:
        return _("%(name)s is %(value)r: http://host:6820 or https://host is wanted.")
    if parts.query or parts.fragment:
        return _("%(name)s is %(value)r: nothing may follow its path.")
    return ""


def check_cluster(cluster: str) -> None:
    """Raises ``Misconfigured`` for a cluster that ``SLURM_CLUSTERS``, where it is set, does not name."""
    known = settings.SLURM_CLUSTERS
    if known and cluster not in (*known, settings.SLURM_CLUSTER):
        words = _("SLURM_CLUSTERS does not name the cluster %(name)r; it has %(known)s.")
        raise Misconfigured(words % {"name": cluster, "known": ", ".join(known)})
