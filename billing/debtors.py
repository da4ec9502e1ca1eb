"""Who owes a document decides about no money for it: neither that it came nor that it is not asked for any more."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.membership import BILLING, memberships
from accounts.models import Approval, Organisation, User
from billing.models import Invoice, Receipt
from core.context import Actor
from core.errors import Conflict


class OwnDebt(Conflict):
    code = "own_debt"


def owes(name: str, document: Receipt | Invoice) -> bool:
    """A receipt is owed by its user, an invoice by those who answer for the bills of its organisation."""
    if isinstance(document, Receipt):
        return name == document.username
    return _answers_for(name, document.organisation_id)


def _answers_for(name: str, organisation: int) -> bool:
    user = User.objects.filter(pk=name).first()
    return user is not None and memberships(user, BILLING).filter(organisation=organisation).exists()


def check_not_for_own(actor: Actor, organisation: Organisation | None) -> None:
    """What an organisation alone is charged (its prices, taxes and discounts) is not set by who answers for its bills.
    Raises ``OwnDebt``."""
    if organisation is not None and _answers_for(actor.name, organisation.pk):
        raise OwnDebt(_("Somebody else must decide about money for what you owe."))


def check_not_own(actor: Actor, document: Receipt | Invoice, second: Approval | None = None) -> None:
    """Raises ``OwnDebt`` for ``actor``, and for whoever signs as the ``second``, where it is theirs."""
    for name in filter(None, (actor.name, second.decided_by if second is not None else "")):
        if owes(name, document):
            raise OwnDebt(_("Somebody else must decide about money for what you owe."))
