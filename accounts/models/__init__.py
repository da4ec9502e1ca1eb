"""People, their tiers, and the guard at the door."""

from accounts.models.approvals import APPROVAL_TRANSITIONS, Approval, ApprovalStatus
from accounts.models.organisations import BillingMode, Organisation, Project, ProjectAccount, ProjectLead
from accounts.models.sessions import Session
from accounts.models.throttle import AuthThrottle
from accounts.models.tiers import RuleKind, Tier, TierOverride, TierRule
from accounts.models.users import Role, User
from accounts.models.work import WORK_TRANSITIONS, Work, WorkPiece, WorkStatus

__all__ = [
    "APPROVAL_TRANSITIONS", "WORK_TRANSITIONS", "Approval", "ApprovalStatus", "AuthThrottle", "BillingMode",
    "Organisation", "Project", "ProjectAccount", "ProjectLead", "Role", "RuleKind", "Session", "Tier", "TierOverride",
    "TierRule", "User", "Work", "WorkPiece", "WorkStatus",
]  # fmt: skip
