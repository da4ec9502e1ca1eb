"""Which tax a line of an invoice has. A month has the taxes of its first day, as it has its prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db.models import Q

from billing.models import InvoiceLine, LineKind, TaxCategory, TaxedKind, TaxRate, TaxRule
from billing.selectors.jobs.billable import site_tax
from billing.tax import Tax

KIND_OF_LINE: dict[str, str] = {
    LineKind.JOBS: TaxedKind.JOBS, LineKind.USAGE: TaxedKind.USAGE, LineKind.MINIMUM: TaxedKind.USAGE,
    LineKind.FEE: TaxedKind.FEES, LineKind.PRORATION: TaxedKind.FEES, LineKind.OTHER: TaxedKind.FEES,
}  # fmt: skip
Target = tuple[int | None, str, str, int | None]  # organisation, kind, metric, plan; nothing: any


@dataclass(frozen=True, slots=True)
class Levy:
    """The tax of a line. ``code`` is empty where no rule says anything, and the site's own tax counts."""

    label: str = ""
    rate: Decimal = Decimal(0)
    category: str = TaxCategory.OUTSIDE
    code: str = ""
    reason: str = ""
    reason_th: str = ""

    @property
    def group(self) -> tuple[str, Decimal]:
        """What an invoice adds up, and a credit note takes back, together."""
        return self.category, self.rate


@dataclass(frozen=True, slots=True)
class TaxTable:
    """The rules of one day, by what they are about."""

    site: Levy
    rules: dict[Target, Levy]

    @property
    def inclusive(self) -> bool:
        """Whether amounts of lines hold their tax: one answer for the whole site."""
        return settings.BILLING_TAX_INCLUSIVE and (settings.BILLING_TAX_ENABLED or bool(self.rules))

    @property
    def owners(self) -> frozenset[int | None]:
        """Who has rules of its own."""
        return frozenset(owner for owner, _kind, _metric, _plan in self.rules)

    @property
    def one_name_a_rate(self) -> bool:
        """Whether taxes that a document adds up together are called the same, whichever of its lines comes first."""
        levies = {self.site, *self.rules.values()}
        return len({levy.group for levy in levies}) == len({(levy.group, levy.label) for levy in levies})

    def of(self, organisation: int, line: InvoiceLine) -> Levy:
        """The organisation's own rule before one for all; of these, that of the price or plan before that of the kind
        of line before that of everything."""
        if not self.rules:
            return self.site
        return next((self.rules[each] for each in _targets(organisation, line) if each in self.rules), self.site)


def tax_table(organisations: Iterable[int], day: date) -> TaxTable:
    """For all lines of these organisations: two statements, one where there are no rules."""
    site = levy_of_site(site_tax())
    of_them = Q(organisation__isnull=True) | Q(organisation__in=list(organisations))
    open_then = Q(effective_to__isnull=True) | Q(effective_to__gte=day)
    # of several about the same the latest counts
    rows = TaxRule.objects.filter(of_them, open_then, effective_from__lte=day).order_by("effective_from", "pk")
    found = {(row.organisation_id, row.kind, row.metric_name, row.plan_id): row for row in rows}
    if not found:
        return TaxTable(site, {})
    rates = rates_on(day)
    # a rule that begins before its tax says nothing yet
    return TaxTable(site, {key: _levy(rates[row.tax], row) for key, row in found.items() if row.tax in rates})


def rates_on(day: date) -> dict[str, TaxRate]:
    """Each tax as it is on this day, by its code."""
    rows = TaxRate.objects.filter(effective_from__lte=day).order_by("effective_from", "pk")
    return {row.code: row for row in rows}


def levy_of_site(tax: Tax) -> Levy:
    if not tax.label and not tax.rate:
        return Levy()
    return Levy(tax.label, tax.rate, TaxCategory.STANDARD if tax.rate else TaxCategory.ZERO)


def _levy(rate: TaxRate, rule: TaxRule) -> Levy:
    reason, reason_th = (rule.reason, rule.reason_th) if rule.reason else (rate.reason, rate.reason_th)
    return Levy(rate.label, rate.rate, rate.category, rate.code, reason, reason_th)


def _targets(organisation: int, line: InvoiceLine) -> Iterator[Target]:
    plan = line.subscription.plan_id if line.subscription is not None else None
    for owner in (organisation, None):
        if plan is not None:
            yield owner, "", "", plan
        if line.metric_name:
            yield owner, "", line.metric_name, None
        yield owner, KIND_OF_LINE[line.kind], "", None
        yield owner, "", "", None
