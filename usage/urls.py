"""Alerts; mounted at /alerts/."""

from django.urls import path

from usage.views import alerts

app_name = "alerts"
urlpatterns = [
    path("", alerts.index, name="index"),
    path("new/", alerts.new, name="new"),
    path("budget/", alerts.budget, name="budget"),
    path("<uuid:uuid>/", alerts.rule, name="rule"),
    path("<uuid:uuid>/switch/", alerts.switch, name="switch"),
    path("raised/<uuid:uuid>/", alerts.raised, name="raised"),
    path("raised/<uuid:uuid>/seen/", alerts.seen, name="seen"),
]
