"""Mounted at /webhooks/."""

from django.urls import path

from accounts.views import webhooks as views

app_name = "webhooks"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new, name="new"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/secret/", views.rotate, name="rotate"),
    path("<uuid:uuid>/switch/", views.switch, name="switch"),
    path("<uuid:uuid>/messages/<int:pk>/", views.message, name="message"),
    path("<uuid:uuid>/messages/<int:pk>/again/", views.again, name="again"),
]
