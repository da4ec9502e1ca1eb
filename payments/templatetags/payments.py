"""What billing's pages show of payments, without billing knowing them."""

from __future__ import annotations

from django import template

from billing.models import Invoice, Receipt
from payments import payables, selectors
from payments.models import Payment
from payments.payables import Payable
from payments.selectors import Way

register = template.Library()


@register.simple_tag
def ways_to_pay(document: Receipt | Invoice) -> list[Way]:
    return selectors.ways_to_pay(document)


@register.simple_tag
def closed_ways(ways: list[Way], currency: str) -> str:
    return selectors.closed_ways(ways, currency)


@register.simple_tag
def payer_notice(document: Receipt | Invoice) -> str:
    return selectors.payer_notice(document)


@register.simple_tag
def part_paid(document: Receipt | Invoice) -> Payment | None:
    return selectors.part_paid(document)


@register.simple_tag
def payable(document: Receipt | Invoice) -> Payable:
    return payables.payable(document)


@register.simple_tag
def in_review(document: Receipt | Invoice) -> bool:
    return selectors.in_review(document)
