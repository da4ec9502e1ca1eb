"""Values of ours as a table inside a statement, so that one statement answers many questions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection


def json_table(name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> tuple[str, str]:
    """A CTE with these columns (name -> PostgreSQL's type) and rows, and its one parameter.

    JSON carries them, so that their number has no limit; decimals travel as text and stay exact.
    """
    if connection.vendor == "postgresql":
        cells = ", ".join(f"CAST(v ->> {at} AS {kind})" for at, kind in enumerate(columns.values()))
        source = f"SELECT {cells} FROM jsonb_array_elements(CAST(%s AS jsonb)) AS e(v)"
    else:
        cells = ", ".join(f"json_extract(value, '$[{at}]')" for at in range(len(columns)))
        source = f"SELECT {cells} FROM json_each(%s)"
    return f"{name}({', '.join(columns)}) AS ({source})", json.dumps(rows)


def moment_cell(moment: datetime | None) -> str | None:
    """A moment as the database of this connection compares it."""
    return str(connection.ops.adapt_datetimefield_value(moment)) if moment else None
