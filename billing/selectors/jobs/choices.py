"""What the lists of a usage filter offer: values that occur in the window, and nothing else. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from billing.selectors.jobs.usage import UsageFilter


@dataclass(frozen=True, slots=True)
class Choices:
    """Sorted, without the empty value."""

    members: list[str]
    clusters: list[str]
    accounts: list[str]
    partitions: list[str]
    states: list[str]


def choices(flt: UsageFilter) -> Choices:
    """For this reader, or project, and window, whatever else is filtered: one query."""
    asked = replace(flt, username=None if flt.accounts is not None else flt.username, account="", state="",
                    billed="", query="", partition="", cluster="")  # fmt: skip
    found = asked.jobs().order_by().values_list("username", "cluster", "account", "partition", "state").distinct()
    columns = list(zip(*found, strict=True)) or [()] * 5
    return Choices(*(sorted({value for value in column if value}) for column in columns))
