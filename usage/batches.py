"""What a source hands to the import: records in columns (Arrow), a bounded number at a time.

Import this module inside functions: pyarrow costs start-up time that only imports should pay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow as pa

from usage.records import COLUMNS, BadRow, Item, JobRecord, Step

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000  # of one batch, where a source has single rows
TIMES = ("submit_at", "start_at", "end_at")
_TEXT = (
    "job_key", "cluster", "job_id_display", "username", "account", "partition", "qos", "job_name", "state",
    "exit_code", "gpu_types", "raw",
)  # fmt: skip

# Times are epoch seconds, amounts integers: the columns of ``JobRecord``, in its order.
SCHEMA = pa.schema([(name, pa.string() if name in _TEXT else pa.int64()) for name in COLUMNS])


@dataclass(slots=True)
class Batch:
    """Rows of one stretch of a source: ``jobs`` (``SCHEMA``, in the order they came), steps, refused rows.

    ``where`` says for people what is being read (a window); ``done`` is how much of the
    source has been read with this batch, 0 to 1, or None where nobody knows.
    """

    jobs: pa.Table
    steps: int = 0
    refused: list[BadRow] = field(default_factory=list)
    where: str = ""
    done: float | None = None

    def __len__(self) -> int:
        return len(self.jobs) + self.steps + len(self.refused)

    def frame(self) -> pd.DataFrame:
        """The records as a pandas frame over the same Arrow memory."""
        return frame_of(self.jobs)


def frame_of(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    return table.to_pandas(types_mapper=pd.ArrowDtype)


def table_of(records: Iterable[JobRecord]) -> pa.Table:
    rows = list(map(attrgetter(*COLUMNS), records))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(COLUMNS)
    return pa.table(
        [pa.array(cells, column.type) for cells, column in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def batch_of(items: Iterable[Item], *, where: str = "", done: float | None = None) -> Batch:
    """Gather single rows: the way of sources whose rows must be read one by one."""
    records: list[JobRecord] = []
    refused: list[BadRow] = []
    steps = 0
    for item in items:
        if isinstance(item, JobRecord):
            records.append(item)
        elif isinstance(item, Step):
            steps += 1
        else:
            refused.append(item)
    return Batch(table_of(records), steps, refused, where, done)


def in_batches(items: Iterator[Item], *, where: str = "", size: int = ROWS) -> Iterator[Batch]:
    while chunk := list(islice(items, size)):
        yield batch_of(chunk, where=where)
