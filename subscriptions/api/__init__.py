"""The catalogue, plans and subscriptions as JSON."""
