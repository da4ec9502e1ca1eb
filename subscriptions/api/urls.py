"""Addresses of subscriptions below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from subscriptions.api.catalogue import ModelsView, ModelView, PlansView, PlanView
from subscriptions.api.subscriptions import SubscriptionsView, SubscriptionView

urlpatterns = [
    path("models", ModelsView.as_view(), name="models"),
    path("models/<path:pk>", ModelView.as_view(), name="model"),
    path("plans", PlansView.as_view(), name="plans"),
    path("plans/<slug:code>", PlanView.as_view(), name="plan"),
    path("subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("subscriptions/<uuid:uuid>", SubscriptionView.as_view(), name="subscription"),
]
