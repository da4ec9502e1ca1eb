"""Addresses of organisations below ``/api/v1/``."""

from django.urls import path

from accounts.api import keys
from accounts.api import organisations as views

ONE = "organisations/<uuid:uuid>"
urlpatterns = [
    path("keys", keys.KeysView.as_view(), name="keys"),
    path("keys/<uuid:uuid>", keys.KeyView.as_view(), name="key"),
    path("keys/<uuid:uuid>/rotate", keys.RotateView.as_view(), name="key_rotate"),
    path("organisations", views.OrganisationsView.as_view(), name="organisations"),
    path(ONE, views.OrganisationView.as_view(), name="organisation"),
    path(f"{ONE}/members", views.MembersView.as_view(), name="members"),
    path(f"{ONE}/members/<str:username>", views.MemberView.as_view(), name="member"),
    path(f"{ONE}/projects", views.ProjectsView.as_view(), name="projects"),
    path("projects/<uuid:uuid>", views.ProjectView.as_view(), name="project"),
]
