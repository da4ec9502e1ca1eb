"""Finding jobs by what somebody has in hand: exact look-ups into indexes, whatever the number of jobs."""

from __future__ import annotations

import re

from django.db.models import Q

BIGGEST = 2**63 - 1
BILLABLE = "billable"  # of the console's filter ``billing``: ended, of some cost, and no document's yet
_ARRAY_TASK = re.compile(r"([0-9]+)[_+][0-9]+\Z")


def whole_number(term: str) -> int | None:
    """``term`` as an id that a column holds; None when it is none."""
    return int(term) if re.fullmatch(r"[0-9]{1,19}", term) and int(term) <= BIGGEST else None


def jobs_called(term: str) -> Q:
    """By key, by raw id, or by an array's (or heterogeneous job's) id with its task: ``123_4``, ``123+1``."""
    task = _ARRAY_TASK.match(term)
    number = whole_number(task[1] if task else term)
    condition = Q(job_key=term)
    if number is None:
        return condition
    if task:
        same = Q(job_id_display=term)
        return condition | Q(array_job_id=number) & same | Q(job_id=number) & same | Q(het_job_id=number) & same
    return condition | Q(job_id=number)
