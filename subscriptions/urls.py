"""My subscriptions; mounted at ``/subscriptions/``."""

from django.urls import path

from subscriptions import views

app_name = "subscriptions"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new, name="new"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/cancel/", views.cancel, name="cancel"),
]
