"""What ``manage.py check --deploy`` says about a production site. Settings already refuse the worst at start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts.sign_in import breaches
from core.money import places
from hpcbilling import unsafe
from hpcbilling.checks import payments as ways
from usage import clusters
from usage.sources import connections

PRICED_PLACES = 2  # decimal places of every money column


@register(Tags.security, deploy=True)
def production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [*_addresses(), *_secrets(), *ways.production(), *_metrics()]


@register(Tags.compatibility)
def ways_to_pay(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Providers that are named must be known; the other plug-ins load on first use."""
    return list(ways.always())


@register(Tags.compatibility)
def words(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Settings whose spelling we can judge without asking anybody."""
    return [*_currency(), *_slurm(), *_breaches()]


def _currency() -> Iterator[CheckMessage]:
    from babel.numbers import list_currencies  # heavy, and only for this question

    if settings.PAYMENT_CURRENCY not in list_currencies():
        yield Error(
            f"PAYMENT_CURRENCY={settings.PAYMENT_CURRENCY} is no currency.",
            hint="Use a code of ISO 4217, such as THB.",
            id="hpcbilling.E008",
        )
    elif places(settings.PAYMENT_CURRENCY) != PRICED_PLACES:
        yield Error(
            f"PAYMENT_CURRENCY={settings.PAYMENT_CURRENCY} does not have {PRICED_PLACES} decimal places.",
            hint="Prices and receipts are kept in hundredths; such a currency cannot be billed yet.",
            id="hpcbilling.E017",
        )


def _breaches() -> Iterator[CheckMessage]:
    if settings.BREACHED_PASSWORDS_FILE and (why := breaches.trouble(Path(settings.BREACHED_PASSWORDS_FILE))):
        yield Error(
            f"BREACHED_PASSWORDS_FILE={settings.BREACHED_PASSWORDS_FILE} {why}: no password can be set.",
            hint="docs/security.md says what file it is; leave it empty to ask none.",
            id="hpcbilling.E020",
        )


def _slurm() -> Iterator[CheckMessage]:
    """The connection settings of every cluster, and variables of clusters that there are not."""
    known = dict.fromkeys((settings.SLURM_CLUSTER, *settings.SLURM_CLUSTERS))
    for words in dict.fromkeys(connections.trouble(cluster) for cluster in known):
        if words:
            yield Error(words, hint="See the section on usage in .env.example.", id="hpcbilling.E009")
    suffixes = {clusters.suffix(cluster) for cluster in known}
    ours = re.compile(rf"({'|'.join(clusters.SETTINGS)})__(.+)")
    for name in sorted(os.environ):
        match = ours.fullmatch(name)
        if match and not {match[2], match[2].removesuffix("_FILE")} & suffixes:
            yield Error(
                f"{name} belongs to a cluster that SLURM_CLUSTERS does not name.",
                hint=f"SLURM_CLUSTERS has {', '.join(settings.SLURM_CLUSTERS) or 'nothing'}.",
                id="hpcbilling.E010",
            )


def _addresses() -> Iterator[CheckMessage]:
    if not settings.SITE_BASE_URL.startswith("https://"):
        yield Error(
            "SITE_BASE_URL does not start with https://.",
            hint="Passwords and session cookies travel to this address; they need TLS.",
            id="hpcbilling.E001",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS allows every host name.", hint="List the site's own names.", id="hpcbilling.E002")


def _secrets() -> Iterator[CheckMessage]:
    if unsafe.is_weak(settings.SECRET_KEY):
        yield Error(
            f"SECRET_KEY is shorter than {unsafe.SECRET_KEY_LENGTH} characters, says little or is for development.",
            hint="python3 -c 'import secrets; print(secrets.token_urlsafe(64))'",
            id="hpcbilling.E003",
        )


def _metrics() -> Iterator[CheckMessage]:
    token = settings.METRICS_TOKEN
    if settings.METRICS_ENABLED and not token:
        yield Warning(
            "METRICS_TOKEN is not set: /metrics answers this machine only.",
            hint="Set a token, or METRICS_ENABLED=0.",
            id="hpcbilling.W005",
        )
    if token and (len(token) < unsafe.METRICS_TOKEN_LENGTH or unsafe.is_plain(token)):
        words = f"METRICS_TOKEN is shorter than {unsafe.METRICS_TOKEN_LENGTH} characters, or says little."
        yield Error(words, id="hpcbilling.E006")
