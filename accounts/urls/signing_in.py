"""Mounted at /accounts/."""

from django.urls import path

from accounts.sso import views as sso
from accounts.views import password_resets, second_factors, signing_in, step_up

app_name = "accounts"
urlpatterns = [
    path("login/", signing_in.LoginView.as_view(), name="login"),
    path("logout/", signing_in.LogoutView.as_view(), name="logout"),
    path("password/", signing_in.PasswordChangeView.as_view(), name="password_change"),
    path("forgotten/", password_resets.forgotten, name="password_forgotten"),
    path("reset/<slug:uid>/<slug:token>/", password_resets.reset, name="password_reset"),
    path("again/", step_up.step_up, name="step_up"),
    path("second-factor/", second_factors.challenge, name="second_factor"),
    path("second-factor/setup/", second_factors.set_up, name="second_factor_setup"),
    path("second-factor/change/", second_factors.change, name="second_factor_change"),
    path("sso/", sso.start, name="sso_start"),
    path("sso/callback/", sso.callback, name="sso_callback"),
]
