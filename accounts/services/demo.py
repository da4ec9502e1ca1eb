"""Where ``seed_demo`` finds the demo cast."""

from accounts.services.users import DemoUser, create_demo_users, demo_cast

__all__ = ["DemoUser", "create_demo_users", "demo_cast"]
