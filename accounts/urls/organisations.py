"""Mounted at the root: /organisations/ and /invitations/."""

from django.urls import path

from accounts.views import members
from accounts.views import organisations as views

app_name = "organisations"
ONE = "organisations/<uuid:uuid>/"
urlpatterns = [
    path("organisations/", views.index, name="index"),
    path(ONE, views.detail, name="detail"),
    path(f"{ONE}settings/", views.settings_page, name="settings"),
    path(f"{ONE}leave/", views.leave, name="leave"),
    path(f"{ONE}invite/", members.invite, name="invite"),
    path(f"{ONE}invitations/<uuid:invitation>/", members.invited, name="invited"),
    path(f"{ONE}members/<str:username>/", members.member, name="member"),
    path(f"{ONE}projects/new/", views.new_project, name="project_new"),
    path(f"{ONE}projects/<uuid:project>/", views.project, name="project"),
    path("invitations/<slug:token>/", members.accept, name="invitation"),
]
