"""The browser, and the addresses of the pages that tests, pictures and benchmarks look at."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

PAGES = [
    "/",
    "/usage/",
    "/usage/?view=aggregate",
    "/receipts/",
    "/receipts/new/?start=&end=",
    "/playground/",
    "/playground/?view=script",
    "/projects/",
    "/organisations/",
    "/subscriptions/",
    "/subscriptions/new/",
    "/keys/",
    "/keys/new/",
    "/metering/",
    "/alerts/",
    "/work/",
]
CONSOLE = [
    "/admin/", "/admin/usage/job/", "/admin/usage/importrun/", "/admin/billing/receipt/", "/admin/billing/rateversion/",
    "/admin/billing/rateversion/what-if/?start=2026-10-01&end=2026-10-31&mu.cpu=2", "/admin/billing/closedmonth/",
    "/admin/billing/closedmonth/2026-10/", "/admin/billing/receipt/run/", "/admin/accounts/tierrule/try/?username=alice",
    "/api/docs/", "/verify/", "/playground/?view=script", "/admin/exports/",
    "/admin/payments/payment/", "/admin/audit/auditlog/", "/admin/accounts/user/", "/admin/search/?q=alice-and-bob",
    "/admin/accounts/work/", "/admin/accounts/approval/", "/admin/accounts/emailnotification/", "/admin/accounts/organisation/", "/admin/usage/importrun/upload/",
    "/admin/billing/receipt/?status__exact=pending", "/style/", "/admin/subscriptions/subscription/",
    "/admin/usage/meter/", "/admin/usage/meter/add/", "/admin/usage/usageaggregate/", "/admin/usage/quotawindow/",
    "/admin/billing/invoicetemplate/", "/admin/billing/invoicetemplate/add/",
    "/admin/subscriptions/aimodel/", "/admin/subscriptions/plan/",
]  # fmt: skip
