"""What was consumed, and how we came to know it."""

from usage.models.imports import VERDICTS, Cluster, ImportRun, ImportStatus, QuarantinedRow
from usage.models.jobs import ACTIVE_STATES, Job

__all__ = ["ACTIVE_STATES", "VERDICTS", "Cluster", "ImportRun", "ImportStatus", "Job", "QuarantinedRow"]
