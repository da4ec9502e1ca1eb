"""Mounted at /accounts/."""

from django.urls import path

from accounts import password_reset_views, second_factor_views, step_up_views, views
from accounts.sso import views as sso

app_name = "accounts"
urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("password/", views.PasswordChangeView.as_view(), name="password_change"),
    path("forgotten/", password_reset_views.forgotten, name="password_forgotten"),
    path("reset/<slug:uid>/<slug:token>/", password_reset_views.reset, name="password_reset"),
    path("again/", step_up_views.step_up, name="step_up"),
    path("second-factor/", second_factor_views.challenge, name="second_factor"),
    path("second-factor/setup/", second_factor_views.set_up, name="second_factor_setup"),
    path("second-factor/change/", second_factor_views.change, name="second_factor_change"),
    path("sso/", sso.start, name="sso_start"),
    path("sso/callback/", sso.callback, name="sso_callback"),
]
