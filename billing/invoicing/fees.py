"""Lines of what subscriptions have come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from billing.invoicing.exchange import price_line
from billing.invoicing.months import Month, in_both
from billing.invoicing.problems import Problem, no_exchange_rate
from billing.invoicing.sums import Item
from billing.models import ChargeKind, InvoiceLine, LineKind, SubscriptionCharge
from billing.selectors.fee_discounts import Asked
from billing.selectors.pricing.exchange import MissingExchangeRate, RateBook
from billing.selectors.pricing.taxes import Levy
from core.database.decimals import plain
from core.words.wording import day_text, is_thai


def charges_of(months: Sequence[Month]) -> dict[int, list[SubscriptionCharge]]:
    """By organisation, in the order in which they came about: those that belong on its invoice and are on none. One
    statement."""
    by_pk = {month.organisation.pk: month for month in months}
    rows = SubscriptionCharge.objects.filter(
        subscription__organisation__in=list(by_pk), claimed_by="", due_at__lt=max(month.end for month in months)
    ).select_related("subscription__plan", "price__plan")
    found: dict[int, list[SubscriptionCharge]] = defaultdict(list)
    for charge in rows.order_by("due_at", "pk").select_for_update(of=("self",), no_key=True):
        organisation = charge.subscription.organisation_id
        # also of an earlier month: it may have had nothing else to bill, and then nobody runs it again
        if organisation is not None and charge.due_at < by_pk[organisation].end:
            found[organisation].append(charge)
    return found


def call_for_an_invoice(charges: Iterable[SubscriptionCharge]) -> bool:
    """Credits alone that were kept for the next invoice wait for one that has something else on it."""
    return any("carried_from" not in charge.explanation for charge in charges)


def lines_of(
    month: Month, charges: Iterable[SubscriptionCharge], asked: Mapping[int, Asked], book: RateBook
) -> tuple[list[InvoiceLine], list[Problem]]:
    """``asked``: of credits whose fees are on invoices already (``asked_of``)."""
    lines: list[InvoiceLine] = []
    problems: list[Problem] = []
    for charge in charges:
        before = asked.get(charge.pk)
        amount = before.of(charge.amount, charge.currency) if before else charge.amount
        line = _line(month, charge, amount)
        if before:
            line.source["after_discount"] = {
                "of": plain(charge.amount), "net": plain(before.net), "total": plain(before.total),
                "invoice": before.invoice,
            }  # fmt: skip
        try:
            price_line(line, amount, charge.currency, book)
        except MissingExchangeRate as error:
            problems.append(no_exchange_rate(error))
            continue
        lines.append(line)
    return lines, problems


def is_discounted(line: InvoiceLine) -> bool:
    """Whether the discounts of the month are for it: not where it gives back what was asked for after discount."""
    return not {"after_discount", "carried"} & line.source.keys()


def _line(month: Month, charge: SubscriptionCharge, amount: Decimal) -> InvoiceLine:
    plan, zone = charge.price.plan, month.organisation.zone
    english, thai = _words(str(charge.kind), plan.name, plan.name_th, charge.period_start, charge.period_end, zone)
    return InvoiceLine(
        kind=LineKind.FEE if charge.kind == ChargeKind.FEE else LineKind.PRORATION,
        description=english, description_th=thai, subscription=charge.subscription, quantity=Decimal(1),
        unit_price=amount, currency=month.currency, period_start=charge.period_start,
        period_end=charge.period_end,
        source={
            "charge": charge.pk, "kind": str(charge.kind), "plan": charge.price.plan.code,
            "cycle": str(charge.price.billing_cycle), "price": charge.price_id, "amount": plain(amount),
            "currency": charge.currency, "explanation": charge.explanation,
        },
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _words(kind: str, name: str, name_th: str, start: datetime, end: datetime, zone: ZoneInfo) -> tuple[str, str]:
    """The same for every subscription of a plan whose period it is."""

    def words() -> str:
        what = {
            ChargeKind.FEE: _("%(plan)s, %(days)s"),
            ChargeKind.PRORATION: _("%(plan)s, part of a period, %(days)s"),
            ChargeKind.CREDIT: _("%(plan)s, credit for the rest of a period, %(days)s"),
        }[ChargeKind(kind)]
        return what % {"plan": name_th if is_thai() and name_th else name, "days": days_text(start, end, zone)}

    return in_both(words)


def period_text(month: Month, start: datetime, end: datetime) -> str:
    """First and last day in the organisation's zone."""
    return days_text(start, end, month.organisation.zone)


def days_text(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    first = timezone.localtime(start, zone).date()
    last = timezone.localtime(end - timedelta(microseconds=1), zone).date()
    return day_text(first) if first == last else f"{day_text(first)} – {day_text(last)}"


def carried_lines(
    month: Month, lines: Sequence[InvoiceLine], levies: Sequence[Levy], items: Sequence[Item]
) -> Iterator[tuple[Levy, InvoiceLine]]:
    """Credits that are larger than everything else at their tax rate, after its discount, wait for the next invoice:
    neither an invoice nor a tax on it ever asks for less than nothing. The line takes the rest off this one; finalizing
    puts it down as a credit of the next month."""
    groups: dict[tuple[str, Decimal], list[tuple[InvoiceLine, Levy, Item]]] = defaultdict(list)
    for line, levy, item in zip(lines, levies, items, strict=True):
        groups[levy.group].append((line, levy, item))
    for members in groups.values():
        rest = sum((item.net for _line, _levy, item in members), Decimal(0))
        credits = [each for each in members if each[0].kind == LineKind.PRORATION and each[0].total < 0]
        if rest < 0 and credits:
            largest, levy, _item = min(credits, key=lambda each: each[0].total)
            yield levy, _carried_line(month, largest, rest)


def _carried_line(month: Month, largest: InvoiceLine, rest: Decimal) -> InvoiceLine:
    english, thai = in_both(lambda: _("Credit kept for the next invoice"))
    return InvoiceLine(
        kind=LineKind.OTHER, description=english, description_th=thai, subscription=largest.subscription,
        quantity=Decimal(1), unit_price=-rest, total=-rest, currency=month.currency, period_start=month.start,
        period_end=month.end, source={"carried": plain(-rest), "charge": largest.source["charge"], **_asked(largest)},
    )  # fmt: skip


def _asked(credit: InvoiceLine) -> dict[str, str]:
    """What of the fee was asked for after discount, as long as some of its credit is kept."""
    explanation = credit.source["explanation"]
    facts = explanation if "carried_from" in explanation else credit.source.get("after_discount", {})
    return {name: facts[name] for name in ("net", "total") if name in facts}
