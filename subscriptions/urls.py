"""My subscriptions; mounted at ``/subscriptions/``. What costs something (``change``, ``cancel``) is in ``billing``."""

from django.urls import path

from subscriptions import views

app_name = "subscriptions"
urlpatterns = [
    path("", views.index, name="index"),
    path("new/", views.new, name="new"),
    path("<uuid:uuid>/", views.detail, name="detail"),
]
