"""High-water marks of clusters: a record above them cannot be stored yet, so nobody need look."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from usage.models import Cluster


class Marks:
    """The marks of every cluster, read inside the transaction that raises them.

    A job id above all that are stored is new; so is a submit time above all, whatever the id
    (ids start again when their counter wraps). Where a mark is too low (rows that came past
    the import), the unique key still refuses the second copy.
    """

    def __init__(self, records: pa.Table) -> None:
        names = pc.unique(records["cluster"]).to_pylist() if len(records) else []
        Cluster.objects.bulk_create([Cluster(name=name) for name in sorted(names)], ignore_conflicts=True)
        self._clusters = {cluster.name: cluster for cluster in Cluster.objects.filter(name__in=names)}

    def above(self, records: pa.Table) -> pa.ChunkedArray:
        """True for each record that must be new. Records without a submit time never are."""
        found = pa.chunked_array([pa.repeat(False, len(records))])
        for name, cluster in self._clusters.items():
            job_id, submit = _mark(cluster.top_job_id), _mark(cluster.top_submit_at)
            higher = pc.or_(pc.greater(records["job_id"], job_id), pc.greater(records["submit_at"], submit))
            found = pc.or_(found, pc.and_(pc.equal(records["cluster"], name), pc.fill_null(higher, False)))
        return pc.and_(found, pc.is_valid(records["submit_at"]))

    def raise_to(self, records: pa.Table) -> None:
        for name, cluster in self._clusters.items():
            mine = records.filter(pc.equal(records["cluster"], name))
            top_id, top_submit = pc.max(mine["job_id"]).as_py(), pc.max(mine["submit_at"]).as_py()
            if top_id is not None:
                cluster.top_job_id = max(top_id, _mark(cluster.top_job_id))
            if top_submit is not None and top_submit > _mark(cluster.top_submit_at):
                cluster.top_submit_at = datetime.fromtimestamp(top_submit, UTC)
            cluster.save(update_fields=["top_job_id", "top_submit_at"])


def _mark(value: int | datetime | None) -> int:
    if value is None:
        return -1
    return value if isinstance(value, int) else int(value.timestamp())
