"""Usage, receipts, fees of subscriptions and the playground; mounted at the root."""

from django.urls import path

from billing.views import documents, invoices, job_page, projects, receipts, subscriptions, usage

app_name = "billing"
urlpatterns = [
    path("usage/", usage.index, name="usage"),
    path("usage/<int:pk>/", job_page.detail, name="job"),
    path("usage.csv", usage.download, {"kind": "csv"}, name="usage_csv"),
    path("usage.xlsx", usage.download, {"kind": "xlsx"}, name="usage_xlsx"),
    path("receipts/", receipts.index, name="receipts"),
    path("receipts/new/", receipts.new, name="receipt_new"),
    path("receipts/<int:pk>/", receipts.detail, name="receipt"),
    path("receipts/<int:pk>/lines.csv", receipts.lines, {"kind": "csv"}, name="receipt_lines"),
    path("receipts/<int:pk>/lines.xlsx", receipts.lines, {"kind": "xlsx"}, name="receipt_lines_xlsx"),
    path("receipts.csv", receipts.download, {"kind": "csv"}, name="receipts_csv"),
    path("receipts.xlsx", receipts.download, {"kind": "xlsx"}, name="receipts_xlsx"),
    path("receipt-lines.csv", receipts.download_lines, {"kind": "csv"}, name="receipts_lines_csv"),
    path("receipt-lines.xlsx", receipts.download_lines, {"kind": "xlsx"}, name="receipts_lines_xlsx"),
    path("receipts/<int:pk>.pdf", documents.receipt, {"language": "en"}, name="receipt_pdf"),
    path("receipts/<int:pk>.th.pdf", documents.receipt, {"language": "th"}, name="receipt_pdf_th"),
    path("projects/", projects.index, name="projects"),
    path("projects/<int:pk>/", projects.detail, name="project"),
    path("projects/<int:pk>/members.csv", projects.download, {"kind": "csv"}, name="project_members_csv"),
    path("projects/<int:pk>/members.xlsx", projects.download, {"kind": "xlsx"}, name="project_members_xlsx"),
    path("projects/<int:project>/usage/", usage.index, name="project_usage"),
    path("projects/<int:project>/usage.csv", usage.download, {"kind": "csv"}, name="project_usage_csv"),
    path("projects/<int:project>/usage.xlsx", usage.download, {"kind": "xlsx"}, name="project_usage_xlsx"),
    path("projects/<int:project>/receipts/new/", receipts.new, name="project_receipt_new"),
    path("subscriptions/<uuid:uuid>/change/", subscriptions.change, name="plan_change"),
    path("subscriptions/<uuid:uuid>/cancel/", subscriptions.cancel, name="subscription_cancel"),
    path("subscriptions/<uuid:uuid>/keep/", subscriptions.keep, name="subscription_keep"),
    path("receipts/<int:pk>/proof.json", documents.receipt_proof, name="receipt_proof"),
    path("invoices/", invoices.index, name="invoices"),
    path("invoices/<uuid:uuid>/", invoices.detail, name="invoice"),
    path("invoices/<uuid:uuid>.pdf", documents.invoice, {"language": "en"}, name="invoice_pdf"),
    path("invoices/<uuid:uuid>.th.pdf", documents.invoice, {"language": "th"}, name="invoice_pdf_th"),
    path("credit-notes/<uuid:uuid>.pdf", documents.credit_note, {"language": "en"}, name="credit_note_pdf"),
    path("credit-notes/<uuid:uuid>.th.pdf", documents.credit_note, {"language": "th"}, name="credit_note_pdf_th"),
    path("invoices/<uuid:uuid>/proof.json", documents.invoice_proof, name="invoice_proof"),
    path("credit-notes/<uuid:uuid>/proof.json", documents.credit_note_proof, name="credit_note_proof"),
    path("invoices/<uuid:uuid>/lines/<int:number>/", invoices.line, name="invoice_line"),
    path("verify/", documents.verify, name="verify"),
]
