"""The console of this app, one module a subject. Changes go through services."""

from usage.admin import alerts, clusters, imports, jobs, meters, quarantine, quotas, reconciliations

__all__ = ["alerts", "clusters", "imports", "jobs", "meters", "quarantine", "quotas", "reconciliations"]
