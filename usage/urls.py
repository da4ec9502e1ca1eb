"""Alerts; mounted at /alerts/."""

from django.urls import path

from usage.views import alerts

app_name = "alerts"
urlpatterns = [
    path("", alerts.index, name="index"),
    path("raised/<uuid:uuid>/", alerts.raised, name="raised"),
]
