"""What was consumed, and how we came to know it."""

from usage.models.imports import (
    REVIEW_TRANSITIONS,
    VERDICTS,
    Cluster,
    ImportRun,
    ImportStatus,
    QuarantinedRow,
    ReviewStatus,
)
from usage.models.jobs import ACTIVE_STATES, Hold, Job
from usage.models.reconciliations import Reconciliation, ReconciliationLine, ReconciliationStatus
from usage.models.reviews import Adjustment

__all__ = [
    "ACTIVE_STATES",
    "REVIEW_TRANSITIONS",
    "VERDICTS",
    "Adjustment",
    "Cluster",
    "Hold",
    "ImportRun",
    "ImportStatus",
    "Job",
    "QuarantinedRow",
    "Reconciliation",
    "ReconciliationLine",
    "ReconciliationStatus",
    "ReviewStatus",
]
