"""Addresses of subscriptions below ``/api/v1/``."""

from __future__ import annotations

from django.urls import path

from subscriptions.api.catalogue import ModelsView, ModelView, PlansView, PlanView
from subscriptions.api.decisions import ApproveView, DenyView, ResumeView, SuspendView
from subscriptions.api.plan_prices import PlanPricesView
from subscriptions.api.subscriptions import SubscriptionsView, SubscriptionView

urlpatterns = [
    path("models", ModelsView.as_view(), name="models"),
    path("models/<path:pk>", ModelView.as_view(), name="model"),
    path("plans", PlansView.as_view(), name="plans"),
    path("plans/<slug:code>", PlanView.as_view(), name="plan"),
    path("plans/<slug:code>/prices", PlanPricesView.as_view(), name="plan_prices"),
    path("subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    path("subscriptions/<uuid:uuid>", SubscriptionView.as_view(), name="subscription"),
    path("subscriptions/<uuid:uuid>/approve", ApproveView.as_view(), name="subscription_approve"),
    path("subscriptions/<uuid:uuid>/deny", DenyView.as_view(), name="subscription_deny"),
    path("subscriptions/<uuid:uuid>/suspend", SuspendView.as_view(), name="subscription_suspend"),
    path("subscriptions/<uuid:uuid>/resume", ResumeView.as_view(), name="subscription_resume"),
]
