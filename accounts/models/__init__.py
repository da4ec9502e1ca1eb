"""People, their tiers, and the guard at the door."""

from accounts.models.organisations import BillingMode, Organisation, Project, ProjectAccount, ProjectLead
from accounts.models.sessions import Session
from accounts.models.throttle import AuthThrottle
from accounts.models.tiers import RuleKind, Tier, TierOverride, TierRule
from accounts.models.users import Role, User

__all__ = [
    "AuthThrottle", "BillingMode", "Organisation", "Project", "ProjectAccount", "ProjectLead", "Role", "RuleKind",
    "Session", "Tier", "TierOverride", "TierRule", "User",
]  # fmt: skip
