"""The console of this app."""

from accounts.admin import (
    approvals,
    keys,
    organisations,
    outbox,
    second_factors,
    test_clocks,
    users,
    webhooks,
    work,
)

__all__ = [
    "approvals", "keys", "organisations", "outbox", "second_factors", "test_clocks", "users", "webhooks", "work",
]  # fmt: skip
