"""Rows that a fresh database starts with."""

from __future__ import annotations

from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS

TIERS = (
    ("mu", "University", "มหาวิทยาลัย", 10),
    ("gov", "Government", "หน่วยงานรัฐ", 20),
    ("private", "Private sector", "ภาคเอกชน", 30),
)


def create_default_tiers(using: str = DEFAULT_DB_ALIAS, apps: Apps = installed, **kwargs: Any) -> None:
    """The three tiers of the price list, when there is no tier at all. Rules stay empty: a site writes its own."""
    try:
        tier = apps.get_model("accounts", "Tier")
    except LookupError:  # migrating back to before the table existed
        return
    if not tier.objects.using(using).exists():
        tier.objects.using(using).bulk_create(
            [tier(code=code, name=name, name_th=thai, position=position) for code, name, thai, position in TIERS]
        )
