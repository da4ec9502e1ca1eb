"""What was consumed, and how we came to know it."""

from usage.models.aggregates import Period, UsageAggregate, UsageDistinct
from usage.models.alerts import (
    ALERT_TRANSITIONS,
    AlertHistory,
    AlertPeriod,
    AlertRule,
    AlertStatus,
    AlertType,
    Channel,
    Operator,
)
from usage.models.events import UsageEvent, UsageEventKey
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
from usage.models.meters import Aggregation, Meter
from usage.models.quotas import RESERVATION_TRANSITIONS, QuotaReservation, QuotaWindow, ReservationStatus
from usage.models.reconciliations import Reconciliation, ReconciliationLine, ReconciliationStatus
from usage.models.reviews import Adjustment

__all__ = [
    "ACTIVE_STATES", "ALERT_TRANSITIONS", "RESERVATION_TRANSITIONS", "REVIEW_TRANSITIONS", "VERDICTS", "Adjustment",
    "Aggregation", "AlertHistory", "AlertPeriod", "AlertRule", "AlertStatus", "AlertType", "Channel", "Cluster", "Hold",
    "ImportRun", "ImportStatus", "Job", "Meter", "Operator", "Period", "QuarantinedRow", "QuotaReservation",
    "QuotaWindow", "Reconciliation", "ReconciliationLine", "ReconciliationStatus", "ReservationStatus", "ReviewStatus",
    "UsageAggregate", "UsageDistinct", "UsageEvent", "UsageEventKey",
]  # fmt: skip
