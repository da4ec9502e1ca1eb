"""Long work of one's own and its files; mounted at ``/prepared/``."""

from django.urls import path

from accounts.views import work as views

app_name = "work"
urlpatterns = [
    path("", views.index, name="index"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/file/", views.download, name="file"),
    path("<int:pk>/cancel/", views.cancel, name="cancel"),
]
