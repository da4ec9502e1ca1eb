"""Overrides of one user's tier."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Tier, TierOverride
from accounts.models.users import fold_username
from audit.services import record
from core.context import Actor
from core.errors import BadInput


@transaction.atomic
def set_override(
    *,
    actor: Actor,
    username: str,
    tier: str,
    reason: str,
    valid_from: date | None = None,
    valid_until: date | None = None,
) -> TierOverride:
    """Give ``username`` a tier from a day to a day, both included and both optional; replaces one of the same start.

    Raises ``BadInput`` for an unknown tier, no reason, or days in the wrong order.
    The name need not be a user of ours: jobs of people who never signed in are priced too.
    """
    name = fold_username(username)
    if not name or len(name) > 64:  # noqa: PLR2004 - width of the column
        raise BadInput(_("Name the user."))
    if not Tier.objects.filter(pk=tier).exists():
        raise BadInput(_("There is no tier %(tier)s.") % {"tier": tier})
    if not reason.strip():
        raise BadInput(_("Say why: an override needs a reason."))
    if valid_from and valid_until and valid_until < valid_from:
        raise BadInput(_("The last day lies before the first."))
    old = TierOverride.objects.select_for_update().filter(username=name, valid_from=valid_from).first()
    before = _facts(old)
    values = {"tier_id": tier, "reason": reason.strip()[:200], "valid_until": valid_until, "set_by": actor.name[:64]}
    override, _created = TierOverride.objects.update_or_create(username=name, valid_from=valid_from, defaults=values)
    changes = {key: [before.get(key), value] for key, value in _facts(override).items() if before.get(key) != value}
    record(actor=actor, action="tier_override_set", target=name, entity=override, changes=changes)
    return override


@transaction.atomic
def clear_override(*, actor: Actor, username: str, valid_from: date | None = None) -> bool:
    """Remove the override of ``username`` that starts on ``valid_from`` (None: the one without a start).

    True when there was one; a repeat is not an error and writes nothing.
    """
    name = fold_username(username)
    override = TierOverride.objects.select_for_update().filter(username=name, valid_from=valid_from).first()
    if override is None:
        return False
    changes = {key: [value, None] for key, value in _facts(override).items()}
    entity = TierOverride(pk=override.pk)
    override.delete()
    record(actor=actor, action="tier_override_clear", target=name, entity=entity, changes=changes)
    return True


def _facts(override: TierOverride | None) -> dict[str, object]:
    if override is None:
        return {}
    return {name: getattr(override, name) for name in ("tier_id", "reason", "valid_from", "valid_until")}
