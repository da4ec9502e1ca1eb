"""What a fee was asked for after discount, so that a credit gives back of it no more and no less, whichever discounts
the month of the credit has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from billing.models import ChargeKind, InvoiceLine, InvoiceStatus, LineKind, SubscriptionCharge
from core.money import places, quantize

FEES = (LineKind.FEE, LineKind.PRORATION)


@dataclass(frozen=True, slots=True)
class Asked:
    """``net`` of ``total`` was asked for a fee on ``invoice``; the credit is as much less than its charge."""

    net: Decimal = Decimal(1)
    total: Decimal = Decimal(1)
    invoice: str = ""

    def of(self, amount: Decimal, currency: str) -> Decimal:
        if self.net == self.total or not self.total:
            return amount
        with localcontext(prec=60):
            return quantize(amount * self.net / self.total, places(currency))


WHOLE = Asked()


def asked_of(charges: Iterable[SubscriptionCharge]) -> dict[int, Asked]:
    """By the key of the credits among ``charges``, which go on invoices together. A credit whose fee is among them has
    none: it is discounted with it. Two statements, none where there are no credits."""
    together = {row.pk: row for row in charges}
    credits = [row for row in together.values() if row.amount < 0]
    found = {row.pk: WHOLE for row in credits if "carried_from" in row.explanation}  # that much was asked for
    origins = _origins([row for row in credits if row.pk not in found])
    lines = _lines({origin for origin in origins.values() if origin not in together}, credits)
    for credit, origin in origins.items():
        if origin not in together:
            found[credit] = lines.get(origin, WHOLE)
    for row in credits:
        if row.pk not in origins:
            found[row.pk] = WHOLE
    return found


def _origins(credits: Iterable[SubscriptionCharge]) -> dict[int, int]:
    """The fee that each gives back: the last one before it of its price and end, else of its end."""
    credits = list(credits)
    if not credits:
        return {}
    rows = SubscriptionCharge.objects.filter(subscription__in={row.subscription_id for row in credits}, amount__gt=0)
    fees: dict[tuple[int, object], list[SubscriptionCharge]] = defaultdict(list)
    for fee in rows.exclude(kind=ChargeKind.CREDIT).order_by("due_at", "pk"):
        fees[fee.subscription_id, fee.period_end].append(fee)
    found: dict[int, int] = {}
    for credit in credits:
        before = [fee for fee in fees[credit.subscription_id, credit.period_end] if fee.pk < credit.pk]
        own = [fee for fee in before if fee.price_id == credit.price_id] or before
        if own:
            found[credit.pk] = own[-1].pk
    return found


def _lines(charges: set[int], credits: Iterable[SubscriptionCharge]) -> Mapping[int, Asked]:
    """By the key of a charge. The subscription has an index, what a line's ``source`` says has none."""
    if not charges:
        return {}
    rows = InvoiceLine.objects.filter(subscription__in={row.subscription_id for row in credits}, kind__in=FEES)
    rows = rows.filter(source__charge__in=list(charges))
    rows = rows.exclude(invoice__status=InvoiceStatus.CANCELED).select_related("invoice")
    return {row.source["charge"]: Asked(row.net, row.total, str(row.invoice)) for row in rows.order_by("pk")}
