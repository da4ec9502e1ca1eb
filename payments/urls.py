from django.urls import path

from payments.views import checkout, simulated, transfers, webhooks

app_name = "payments"
urlpatterns = [
    path("receipt/<int:receipt_id>/start", checkout.start, name="start"),
    path("invoice/<uuid:uuid>/start", checkout.start_invoice, name="start_invoice"),
    path("<int:payment_id>/", checkout.pay, name="pay"),
    path("<int:payment_id>/qr.svg", checkout.qr, name="qr"),
    path("<int:payment_id>/transfer", transfers.report, name="transfer"),
    path("return/<slug:provider_name>/", checkout.returned, name="return"),
    path("thanks", checkout.thanks, name="thanks"),
    path("simulate", simulated.simulate, name="simulate"),
    path("webhook", webhooks.webhook, name="webhook"),
    path("webhooks/<slug:provider_name>/", webhooks.webhook, name="webhook_of"),
    path("webhooks/<slug:provider_name>", webhooks.webhook),  # a POST cannot be redirected to the slash
]
