"""Usage's addresses below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from usage.api.aggregates import AggregatesView, MeterView
from usage.api.events import EventsView
from usage.api.quotas import QuotaView, ReservationsView, ReservationView

urlpatterns = [
    path("events", EventsView.as_view(), name="events"),
    path("aggregates", AggregatesView.as_view(), name="aggregates"),
    path("meters", MeterView.as_view(), name="meters"),
    path("quota/reservations", ReservationsView.as_view(), name="quota_reservations"),
    path("quota/reservations/<uuid:uuid>", ReservationView.as_view(), name="quota_reservation"),
    path("subscriptions/<uuid:uuid>/quota", QuotaView.as_view(), name="subscription_quota"),
]
