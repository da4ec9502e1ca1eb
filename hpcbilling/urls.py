"""Every address of the site."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts import view_as
from accounts.views import signing_in
from billing.api.formula import FormulaView
from billing.views.playground import playground
from hpcbilling import ops
from hpcbilling.pages.home import home
from hpcbilling.pages.profile import confirm_email, profile
from hpcbilling.pages.style import style
from usage.views.metering import index as metering

handler500 = "hpcbilling.problems.server_error"

urlpatterns = [
    path("", home, name="home"),
    path("playground/", playground, name="playground"),
    path("account/", profile, name="profile"),
    path("account/email/<slug:token>/", confirm_email, name="profile_email"),
    path("account/view-as/end/", view_as.stop, name="view_as_stop"),
    path("style/", style, name="style"),
    path("", include("billing.urls")),
    path("alerts/", include("usage.urls")),
    path("webhooks/", include("accounts.urls.webhooks")),
    path("", include("accounts.urls.organisations")),
    path("keys/", include("accounts.urls.keys")),
    path("prepared/", include("accounts.urls.work")),
    path("metering/", metering, name="metering"),
    path("subscriptions/", include("subscriptions.urls")),
    path("formula", FormulaView.as_view(), name="formula"),
    path("api/", include("hpcbilling.api", namespace="api")),
    path("payments/", include("payments.urls")),
    path("healthz", ops.healthz, name="healthz"),
    path("readyz", ops.readyz, name="readyz"),
    path("metrics", ops.metrics, name="metrics"),
    path("accounts/", include("accounts.urls.signing_in")),
    path("i18n/setlang/", signing_in.set_language, name="set_language"),
    path("admin/login/", signing_in.to_login),
    path("admin/password_change/", RedirectView.as_view(pattern_name="accounts:password_change")),
    path("admin/", admin.site.urls),
]
