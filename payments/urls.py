from django.urls import path

from payments import transfer_views as transfers
from payments import views

app_name = "payments"
urlpatterns = [
    path("receipt/<int:receipt_id>/start", views.start, name="start"),
    path("invoice/<uuid:uuid>/start", views.start_invoice, name="start_invoice"),
    path("<int:payment_id>/", views.pay, name="pay"),
    path("<int:payment_id>/qr.svg", views.qr, name="qr"),
    path("<int:payment_id>/transfer", transfers.report, name="transfer"),
    path("return/<slug:provider_name>/", views.returned, name="return"),
    path("thanks", views.thanks, name="thanks"),
    path("simulate", views.simulate, name="simulate"),
    path("webhook", views.webhook, name="webhook"),
    path("webhooks/<slug:provider_name>/", views.webhook, name="webhook_of"),
    path("webhooks/<slug:provider_name>", views.webhook),  # a POST cannot be redirected to the slash
]
