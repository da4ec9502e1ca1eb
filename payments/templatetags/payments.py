"""What billing's pages show of payments, without billing knowing them."""

from __future__ import annotations

from django import template

from billing.models import Receipt
from payments import selectors
from payments.models import Payment
from payments.selectors import Way

register = template.Library()


@register.simple_tag
def ways_to_pay(receipt: Receipt) -> list[Way]:
    return selectors.ways_to_pay(receipt)


@register.simple_tag
def payer_notice(receipt: Receipt) -> str:
    return selectors.payer_notice(receipt)


@register.simple_tag
def part_paid(receipt: Receipt) -> Payment | None:
    return selectors.part_paid(receipt)
