"""What a record that changed after it was billed would have cost, at the rates of the receipt that bills it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from billing.models import CpuBasis, Receipt, ReceiptItem
from billing.pricing import Rates, price
from billing.selectors.jobs.months import closed_windows
from usage.models import Adjustment
from usage.services.frozen import is_frozen

_CLAIM = re.compile(r"receipt:(\d+)")


@dataclass(frozen=True, slots=True)
class Difference:
    """``billed`` is the receipt's line, ``changed`` the same line by the new record; None where it cannot be told."""

    receipt: Receipt
    billed: Decimal
    changed: Decimal | None
    why: str = ""

    @property
    def difference(self) -> Decimal | None:
        """Positive: too little was billed. Negative: too much."""
        return None if self.changed is None else self.changed - self.billed


def difference_of(adjustment: Adjustment) -> Difference | None:
    return differences([adjustment]).get(adjustment.pk)


def differences(adjustments: Iterable[Adjustment]) -> dict[int, Difference]:
    """By the adjustment's id, in two queries; adjustments whose document is no receipt are left out."""
    adjustments = list(adjustments)
    numbers = {each.pk: int(match[1]) for each in adjustments if (match := _CLAIM.fullmatch(each.document))}
    receipts = Receipt.objects.in_bulk(numbers.values())
    lines = ReceiptItem.objects.filter(
        receipt__in=receipts, job_key__in=[each.job.job_key for each in adjustments]
    ).values_list("receipt_id", "job_key", "cost")
    billed = {(receipt, key): cost for receipt, key, cost in lines}
    found = {}
    for each in adjustments:
        receipt = receipts.get(numbers.get(each.pk, 0))
        if receipt is not None:
            line = billed.get((receipt.pk, each.job.job_key), Decimal(0))
            found[each.pk] = Difference(receipt, line, *_changed(each, receipt))
    return found


def of_closed_months(adjustments: Iterable[Adjustment]) -> set[int]:
    """The ids of those that would change a closed month: the job ended in one, or would by its new record."""
    windows = closed_windows()
    return {
        each.pk
        for each in adjustments
        if is_frozen(windows, each.job.end_at, datetime.fromtimestamp(each.record["end_at"], UTC))
    }


def _changed(adjustment: Adjustment, receipt: Receipt) -> tuple[Decimal | None, str]:
    """The cost by the new record, and why it is what it is where the rates alone do not say so."""
    record = adjustment.record
    if receipt.project_id is None and record["username"] != receipt.username:
        return Decimal(0), _("The job is another user's now.")
    if receipt.project_id is not None and record["account"] not in receipt.tier_by_account:
        return Decimal(0), _("The job is under an account of another project now.")
    if record["state"] in settings.BILLING_FREE_STATES:
        return Decimal(0), _("It ended in a state that is free of charge.")
    if not record["elapsed_seconds"]:
        return Decimal(0), _("It ran for zero seconds.")
    cpu = record["used_cpu_seconds"] if receipt.cpu_basis == CpuBasis.USED else record["cpu_core_seconds"]
    if cpu is None:
        return None, _("The new record lacks the CPU time that the receipt's price counts.")
    item = price(
        cpu_seconds=cpu,
        gpu_seconds=record["gpu_seconds"],
        mem_mib_seconds=record["mem_mib_seconds"],
        rates=Rates(receipt.rate_cpu, receipt.rate_gpu, receipt.rate_mem),
    )
    return item.cost, ""
