"""What happens to a subscription has consequences in rooms above this one: they plug themselves in here.

``SUBSCRIPTION_HOOKS`` names a function for each moment. It runs in the transaction of the act and may refuse it:

- ``start``, once it runs: ``(actor, subscription)``;
- ``suspend``, before it rests, and ``resume``, once it runs again: ``(actor, subscription, cause)``;
- ``cancel``, before it ends at the wish of somebody: ``(actor, subscription)``;
- ``end``, before some end by time: ``(actor, rows, now)``.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from core.context import Actor
from core.registry import load


def call(moment: str, *, actor: Actor, **facts: Any) -> None:
    if moment in settings.SUBSCRIPTION_HOOKS:
        load("SUBSCRIPTION_HOOKS", moment)(actor=actor, **facts)
