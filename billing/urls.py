"""Usage, receipts and the playground; mounted at the root."""

from django.urls import path

from billing.views import documents, job_page, receipts, usage

app_name = "billing"
urlpatterns = [
    path("usage/", usage.index, name="usage"),
    path("usage/<int:pk>/", job_page.detail, name="job"),
    path("usage.csv", usage.download, name="usage_csv"),
    path("receipts/", receipts.index, name="receipts"),
    path("receipts/new/", receipts.new, name="receipt_new"),
    path("receipts/<int:pk>/", receipts.detail, name="receipt"),
    path("receipts/<int:pk>.pdf", documents.receipt, {"language": "en"}, name="receipt_pdf"),
    path("receipts/<int:pk>.th.pdf", documents.receipt, {"language": "th"}, name="receipt_pdf_th"),
    path("receipts/<int:pk>/lines.csv", receipts.lines, name="receipt_lines"),
    path("verify/", documents.verify, name="verify"),
]
