"""Which rates are in force when."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.models import RateVersion
from core.errors import Conflict


class MissingRate(Conflict):
    """A tier has no rate at a moment. Never priced as zero."""

    code = "missing_rate"


def version_at(tier: str, moment: datetime) -> RateVersion:
    """The version of ``tier`` in force at ``moment``. Raises ``MissingRate``, naming both."""
    version = RateVersion.objects.filter(tier=tier, effective_at__lte=moment).order_by("-effective_at").first()
    if version is None:
        raise missing(tier, moment)
    return version


def in_force(moment: datetime) -> dict[str, RateVersion]:
    """The version of every tier that has one, by tier, in one query."""
    versions = RateVersion.objects.filter(effective_at__lte=moment).order_by("effective_at")
    return {version.tier_id: version for version in versions}


def missing(tier: str, moment: datetime) -> MissingRate:
    words = _("Tier %(tier)s has no rate at %(moment)s; set one before billing.")
    local = timezone.localtime(moment, timezone.get_default_timezone())
    return MissingRate(words % {"tier": tier, "moment": f"{local:%Y-%m-%d %H:%M %Z}"}, tier=tier)


def etag(version: RateVersion) -> str:
    """Strong validator of one tier's current rates."""
    return hashlib.sha256(f"{version.pk}:{version.tier_id}:{version.effective_at.isoformat()}".encode()).hexdigest()[
        :32
    ]
