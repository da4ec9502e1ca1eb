"""Addresses of organisations below ``/api/v1/``."""

from django.urls import path

from accounts.api import invitations, keys, test_clocks, webhooks
from accounts.api import organisations as views

ONE = "organisations/<uuid:uuid>"
HOOK = "webhooks/<uuid:uuid>"
urlpatterns = [
    path("keys", keys.KeysView.as_view(), name="keys"),
    path("keys/<uuid:uuid>", keys.KeyView.as_view(), name="key"),
    path("keys/<uuid:uuid>/rotate", keys.RotateView.as_view(), name="key_rotate"),
    path("organisations", views.OrganisationsView.as_view(), name="organisations"),
    path(ONE, views.OrganisationView.as_view(), name="organisation"),
    path(f"{ONE}/invitations", invitations.InvitationsView.as_view(), name="invitations"),
    path(f"{ONE}/invitations/<uuid:invitation>", invitations.InvitationView.as_view(), name="invitation"),
    path(f"{ONE}/members", views.MembersView.as_view(), name="members"),
    path(f"{ONE}/members/<str:username>", views.MemberView.as_view(), name="member"),
    path(f"{ONE}/projects", views.ProjectsView.as_view(), name="projects"),
    path("projects/<uuid:uuid>", views.ProjectView.as_view(), name="project"),
    path("test-clocks", test_clocks.ClocksView.as_view(), name="test_clocks"),
    path("test-clocks/<uuid:uuid>", test_clocks.ClockView.as_view(), name="test_clock"),
    path("test-clocks/<uuid:uuid>/organisations", test_clocks.BindView.as_view(), name="test_clock_bind"),
    path("test-clocks/<uuid:uuid>/advance", test_clocks.AdvanceView.as_view(), name="test_clock_advance"),
    path("webhooks", webhooks.WebhooksView.as_view(), name="webhooks"),
    path(HOOK, webhooks.WebhookView.as_view(), name="webhook"),
    path(f"{HOOK}/rotate", webhooks.RotateView.as_view(), name="webhook_rotate"),
    path(f"{HOOK}/deliveries", webhooks.DeliveriesView.as_view(), name="webhook_deliveries"),
    path(f"{HOOK}/deliveries/<int:pk>", webhooks.DeliveryView.as_view(), name="webhook_delivery"),
    path(f"{HOOK}/deliveries/<int:pk>/replay", webhooks.ReplayView.as_view(), name="webhook_replay"),
]
