"""Every write of subscriptions."""
