"""My API keys; mounted at ``/keys/``."""

from django.urls import path

from accounts.views import keys as views

app_name = "keys"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new, name="new"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/rotate/", views.rotate, name="rotate"),
    path("<uuid:uuid>/revoke/", views.revoke, name="revoke"),
]
