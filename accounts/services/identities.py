"""What users tell about themselves: an e-mail address, if they like."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Identity, User
from accounts.services.outbox import checked_address
from audit import services as audit
from core.context import Actor


@transaction.atomic
def set_email(*, actor: Actor, user: User, email: str) -> bool:
    """Keep the address, or forget it when ``email`` is empty; False when nothing changes. Raises ``BadInput``.

    The audit log says that it changed, never to what: it is kept for ever.
    """
    address = checked_address(email) if email.strip() else ""
    User.objects.select_for_update().get(pk=user.pk)
    identity = Identity.objects.filter(user=user).first()
    before = identity.email if identity is not None else ""
    if before == address:
        return False
    identity = identity or Identity(user=user)
    identity.email = address
    if address or identity.full_name or identity.oauth_id:
        identity.save()
    else:
        identity.delete()  # nothing is left to keep
    audit.record(
        actor=actor, action="email_address", target=user.username, entity=user,
        extra={"given_before": bool(before), "given_now": bool(address)},
    )  # fmt: skip
    return True
