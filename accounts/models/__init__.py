"""People, their tiers, their organisations, and how machines and messages reach them."""

from accounts.models.api_keys import ApiKey, Scope
from accounts.models.approvals import APPROVAL_TRANSITIONS, Approval, ApprovalStatus, LoneAct
from accounts.models.files import StoredFile
from accounts.models.idempotency import IdempotentRequest
from accounts.models.identities import EmailChange, Identity
from accounts.models.members import Invitation, Member, MemberRole
from accounts.models.organisations import BillingMode, Organisation, Project, ProjectAccount, ProjectLead
from accounts.models.outbox import EMAIL_TRANSITIONS, EmailNotification, EmailStatus
from accounts.models.pressure import KnownNetwork, SignInPressure
from accounts.models.second_factors import RecoveryCode, SecondFactor
from accounts.models.sessions import Session
from accounts.models.test_clocks import CLOCK_TRANSITIONS, ClockStatus, TestClock
from accounts.models.throttle import AuthThrottle
from accounts.models.tiers import RuleKind, Tier, TierOverride, TierRule
from accounts.models.users import Role, User
from accounts.models.webhooks import (
    DELIVERY_TRANSITIONS,
    DeliveryStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookKind,
)
from accounts.models.work import WORK_TRANSITIONS, Work, WorkPiece, WorkStatus

__all__ = [
    "APPROVAL_TRANSITIONS", "CLOCK_TRANSITIONS", "DELIVERY_TRANSITIONS", "EMAIL_TRANSITIONS", "WORK_TRANSITIONS",
    "ApiKey", "Approval", "ApprovalStatus", "AuthThrottle", "BillingMode", "ClockStatus", "DeliveryStatus",
    "EmailChange", "EmailNotification", "EmailStatus", "IdempotentRequest", "Identity", "Invitation", "KnownNetwork",
    "LoneAct", "Member", "MemberRole", "Organisation", "Project", "ProjectAccount", "ProjectLead", "RecoveryCode",
    "Role", "RuleKind", "Scope", "SecondFactor", "Session", "SignInPressure", "StoredFile", "TestClock", "Tier",
    "TierOverride", "TierRule", "User", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint", "WebhookKind", "Work",
    "WorkPiece", "WorkStatus",
]  # fmt: skip
