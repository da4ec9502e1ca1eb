"""What one person did alone with money of a document, as ``accounts.services.approvals`` adds it up."""

from __future__ import annotations

from decimal import Decimal

from accounts.services.approvals import Lone
from billing.models import Invoice, Receipt
from core.context import Actor


def lone_act(actor: Actor, act: str, document: Receipt | Invoice, amount: Decimal) -> Lone:
    """The customer of an invoice is its organisation, that of a receipt its user."""
    if isinstance(document, Invoice):
        about, whose = f"invoice:{document.pk}", f"organisation:{document.organisation_id}"
    else:
        about, whose = f"receipt:{document.pk}", f"user:{document.user_id}"
    return Lone(actor, act, about, whose, amount, document.currency)
