"""Taxes and the rules that say where each belongs: added and ended, never changed. Documents keep what they say."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Organisation
from audit import services as audit
from billing.debtors import check_not_for_own
from billing.models import TaxCategory, TaxedKind, TaxRate, TaxRule
from billing.models.taxes import CODE
from billing.services.ledger.chart import ensure_tax_account
from billing.services.pricing.price_checks import LONGEST, YEARS, refuse
from core.context import Actor
from core.database.decimals import size
from core.database.locks import lock_for_transaction
from core.errors import BadInput
from subscriptions.models import Plan

LOCK = "taxes"
HUNDRED, PERCENT_PLACES, LABEL, REASON = 100, 2, 30, 255
_CODE = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{CODE - 1}}}")
ONE_DAY = timedelta(days=1)


@transaction.atomic
def set_tax_rate(
    *, actor: Actor, code: str, category: str, label: str, rate: Decimal = Decimal(0), reason: str = "",
    reason_th: str = "", effective_from: date,
) -> TaxRate:  # fmt: skip
    """What the tax ``code`` is from this day on, in percent; it takes the place of what the code was before.

    Only ``S`` has a rate; ``E`` says why. Invoices that are finalized keep theirs. The same once more changes nothing.
    Raises ``BadInput``.
    """
    given: dict[str, Any] = {
        "code": code, "category": category, "label": label.strip(), "rate": rate or Decimal(0),
        "reason": reason.strip(), "reason_th": reason_th.strip(), "effective_from": effective_from,
    }  # fmt: skip
    check_tax_rate(**given)
    lock_for_transaction(LOCK)
    last = TaxRate.objects.filter(code=code, effective_from=effective_from).order_by("pk").last()
    if last is not None and all(getattr(last, name) == value for name, value in given.items()):
        return last
    if rate:
        ensure_tax_account(code, rate)
    row = TaxRate.objects.create(set_by=actor.name[:64], **given)
    audit.record(actor=actor, action="tax_rate_set", target=code, entity=row, extra=given)
    return row


def check_tax_rate(
    *, code: str, category: str, label: str, rate: Decimal, reason: str, reason_th: str, effective_from: date
) -> None:
    """Raises ``BadInput`` with what is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    if not _CODE.fullmatch(code):
        wrong["code"] = [_("Small letters, digits and hyphens are wanted, at most %(n)d.") % {"n": CODE}]
    if category not in TaxCategory.values:
        wrong["category"] = [_("One of S, Z, E and O is wanted.")]
    if not label.strip() or len(label) > LABEL or not label.isprintable():
        wrong["label"] = [_("Words of at most %(n)d characters are wanted; they stand on the invoice.") % {"n": LABEL}]
    fits = rate.is_finite() and 0 <= rate <= HUNDRED and size(rate)[1] <= PERCENT_PLACES
    if not fits or (rate > 0) != (category == TaxCategory.STANDARD):
        wrong["rate"] = [
            _("With S more than 0, at most 100, with at most 2 decimal places; else 0."),
        ]
    if category == TaxCategory.EXEMPT and not reason.strip():
        wrong["reason"] = [_("An exemption needs its reason; it stands on the invoice.")]
    wrong |= _wrong_words(reason, reason_th) | _wrong_day(effective_from)
    refuse(wrong)


@transaction.atomic
def create_tax_rule(
    *, actor: Actor, tax: str, effective_from: date, effective_to: date | None = None,
    organisation: Organisation | None = None, kind: str = "", metric_name: str = "", plan: Plan | None = None,
    reason: str = "", reason_th: str = "",
) -> TaxRule:  # fmt: skip
    """From a day on, which tax is on what: a kind of line, a metric or a plan; none of them: on everything. Of an
    organisation, or of all. Of several about the same the one that begins last counts. Raises ``BadInput``."""
    given: dict[str, Any] = {
        "tax": tax, "effective_from": effective_from, "effective_to": effective_to, "organisation": organisation,
        "kind": kind, "metric_name": metric_name.strip(), "plan": plan, "reason": reason.strip(),
        "reason_th": reason_th.strip(),
    }  # fmt: skip
    check_not_for_own(actor, organisation)
    lock_for_transaction(LOCK)
    check_tax_rule(**given)
    row = TaxRule.objects.create(set_by=actor.name[:64], **given)
    extra = {**given, "organisation": organisation.name if organisation else "", "plan": plan.code if plan else ""}
    audit.record(actor=actor, action="tax_rule_create", target=tax, entity=row, extra=extra)
    return row


def check_tax_rule(
    *, tax: str, effective_from: date, effective_to: date | None, organisation: Organisation | None, kind: str,
    metric_name: str, plan: Plan | None, reason: str, reason_th: str,
) -> None:  # fmt: skip
    """Raises ``BadInput`` with what is wrong, by field."""
    wrong: dict[str, list[str]] = {}
    first = TaxRate.objects.filter(code=tax).order_by("effective_from").first()
    if first is None:
        wrong["tax"] = [_("There is no such tax.")]
    elif first.effective_from > effective_from:
        wrong["effective_from"] = [_("The tax begins later than that.")]
    if kind and kind not in TaxedKind.values:
        wrong["kind"] = [_("There is no such kind of line.")]
    if sum(map(bool, (kind, metric_name, plan))) > 1:
        wrong["metric_name"] = [_("Give a kind of line, a metric or a plan, not several.")]
    elif len(metric_name) > LONGEST["metric_name"] or not metric_name.isprintable():
        wrong["metric_name"] = [_("A metric is wanted, or the code of a meter.")]
    wrong |= _wrong_words(reason, reason_th)
    if "effective_from" not in wrong:
        wrong |= _wrong_day(effective_from)
    if effective_to is not None and effective_to < effective_from:
        wrong["effective_to"] = [_("The last day lies before the first.")]
    refuse(wrong)


@transaction.atomic
def end_tax_rule(*, actor: Actor, rule: TaxRule, last_day: date) -> bool:
    """False when it ends on that day already. A rule that was a mistake ends on the day before its first: as if it had
    never been. Raises ``BadInput`` for a day beyond its end or further back."""
    lock_for_transaction(LOCK)
    row = TaxRule.objects.select_for_update(of=("self",)).get(pk=rule.pk)
    check_not_for_own(actor, row.organisation)
    if row.effective_to == last_day:
        return False
    if last_day < row.effective_from - ONE_DAY or (row.effective_to is not None and last_day > row.effective_to):
        words = _("A day from the one before its first to its last is wanted.")
        raise BadInput(words, field="effective_to")
    pair = [row.effective_to, last_day]
    row.effective_to = rule.effective_to = last_day
    row.save(update_fields=["effective_to"])
    audit.record(actor=actor, action="tax_rule_end", target=row.tax, entity=row, changes={"effective_to": pair})
    return True


def _wrong_words(reason: str, reason_th: str) -> dict[str, list[str]]:
    words = _("At most %(n)d characters.") % {"n": REASON}
    given = {"reason": reason, "reason_th": reason_th}
    return {name: [words] for name, value in given.items() if len(value) > REASON or not value.isprintable()}


def _wrong_day(day: date) -> dict[str, list[str]]:
    return {} if day.year in YEARS else {"effective_from": [_("A year from 2000 to 2199 is wanted.")]}
