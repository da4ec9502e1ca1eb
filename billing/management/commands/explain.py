"""Why is this amount what it is?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db.models import Q

from billing.models import InvoiceLine, Receipt
from billing.selectors.documents.explain import explain_job, explain_receipt
from billing.selectors.documents.genuine import numbers_like
from billing.selectors.documents.invoice_explain import explain_line
from billing.selectors.jobs.refused import explain_refused
from core.commands import AppCommand
from core.errors import UsageError
from usage.models import Job

MOST_CANDIDATES = 10
LONGEST_ID = 18


class Command(AppCommand):
    help = (
        "Explain an amount back to the raw record: job KEY (or job id), receipt ID (or document number), or a line of"
        " an invoice, NUMBER/LINE."
    )

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=tuple(FINDERS))
        parser.add_argument(
            "which", metavar="KEY", help="job key or job id; receipt id or document number; invoice number/line"
        )

    def run(self, options: dict[str, Any]) -> dict[str, Any]:
        return FINDERS[options["what"]](options["which"].strip())

    def describe(self, result: dict[str, Any]) -> str:
        return "\n".join(_lines(result))


def _job(which: str) -> dict[str, Any]:
    condition = Q(job_key=which) | Q(job_id_display=which)
    found = list(Job.objects.filter(condition).select_related("import_run").order_by("pk")[: MOST_CANDIDATES + 1])
    exact = [job for job in found if job.job_key == which]
    if len(found) > 1 and not exact:
        keys = ", ".join(job.job_key for job in found[:MOST_CANDIDATES])
        raise UsageError(f"Job id {which} is not unique; name one by its key: {keys}")
    if which and not found and (refused := explain_refused(which)):  # rows without a job id have an empty one
        return refused
    if not found:
        raise UsageError(f"There is no job {which}; give its key (cluster:id:submit) or its job id.")
    return asdict(explain_job((exact or found)[0]))


def _receipt(which: str) -> dict[str, Any]:
    condition = Q(document_number__in=numbers_like(which))
    if which.isascii() and which.isdecimal() and len(which) <= LONGEST_ID:
        condition |= Q(pk=int(which))
    receipt = Receipt.objects.filter(condition).select_related("rate_version", "pricing_tier").first()
    if receipt is None:
        raise UsageError(f"There is no receipt {which}; give its id or its document number.")
    return asdict(explain_receipt(receipt))


def _invoice_line(which: str) -> dict[str, Any]:
    number, slash, place = which.rpartition("/")
    if not (slash and place.isascii() and place.isdecimal() and len(place) <= LONGEST_ID):
        raise UsageError("Name a line of an invoice as NUMBER/LINE, such as INV-202610-00001/2.")
    condition = Q(invoice__invoice_number__in=[number, number.upper()])
    if (draft := number.removeprefix("#")).isascii() and draft.isdecimal() and len(draft) <= LONGEST_ID:
        condition |= Q(invoice=int(draft))
    line = InvoiceLine.objects.filter(condition, line_number=int(place)).select_related("invoice").first()
    if line is None:
        raise UsageError(
            f"There is no line {place} of an invoice {number}; give its number (or #id of a draft) and a line."
        )
    return asdict(explain_line(line))


FINDERS: dict[str, Callable[[str], dict[str, Any]]] = {"job": _job, "receipt": _receipt, "invoice": _invoice_line}


def _lines(value: dict[str, Any], indent: str = "") -> list[str]:
    """Nested names and values, one a line."""
    lines: list[str] = []
    for name, each in value.items():
        if each in (None, "", [], {}):
            continue
        if isinstance(each, dict):
            lines += [f"{indent}{name}", *_lines(each, indent + "  ")]
        elif isinstance(each, list) and isinstance(each[0], dict):
            lines += [f"{indent}{name}", *(f"{indent}  {line}" for line in _table(each))]
        else:
            text = "; ".join(map(str, each)) if isinstance(each, list) else each
            lines.append(f"{indent}{name:<18} {text}")
    return lines


def _table(items: list[dict[str, Any]]) -> list[str]:
    """One item a line: a sum as it is worked out, anything else below the names of its columns."""
    if "product" in items[0]:
        return [_worked_out(item) for item in items]
    names = [name for name in items[0] if any(item[name] not in (None, "", {}) for item in items)]
    cells = [names, *([_cell(item[name]) for name in names] for item in items)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(f"{name}={each}" if name else str(each) for name, each in value.items())
    return "" if value is None else str(value)


def _worked_out(term: dict[str, Any]) -> str:
    hours = f"{term['seconds']} s / {term['divisor']} = {term['hours']} h"
    return f"{term['resource']:<4} {hours}  x {term['rate'].normalize():f} = {term['product'].normalize():f}"
