"""Usage's addresses below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from usage.api import alerts
from usage.api.aggregates import AggregatesView, MeterView
from usage.api.events import EventsView
from usage.api.quotas import QuotaView, ReservationsView, ReservationView

urlpatterns = [
    path("alerts", alerts.RulesView.as_view(), name="alerts"),
    path("alerts/<uuid:uuid>", alerts.RuleView.as_view(), name="alert"),
    path("alerts/history", alerts.HistoryView.as_view(), name="alert_history"),
    path("alerts/history/<uuid:uuid>", alerts.AlertView.as_view(), name="alert_raised"),
    path("alerts/history/<uuid:uuid>/acknowledge", alerts.AcknowledgeView.as_view(), name="alert_acknowledge"),
    path("events", EventsView.as_view(), name="events"),
    path("aggregates", AggregatesView.as_view(), name="aggregates"),
    path("meters", MeterView.as_view(), name="meters"),
    path("quota/reservations", ReservationsView.as_view(), name="quota_reservations"),
    path("quota/reservations/<uuid:uuid>", ReservationView.as_view(), name="quota_reservation"),
    path("subscriptions/<uuid:uuid>/quota", QuotaView.as_view(), name="subscription_quota"),
]
