"""The browser, and the addresses of the pages that tests, pictures and benchmarks look at."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip

# Words in the head of a page that a reader does not see whole: outside the window or the box of their own menu.
CUT = """() => [...document.querySelectorAll(".brand span, .nav a")].filter((part) => {
  const box = part.getBoundingClientRect(), menu = (part.closest("nav") || document.body).getBoundingClientRect();
  return part.scrollWidth > part.clientWidth + 1 || box.left < Math.max(0, menu.left - 1)
    || box.right > Math.min(innerWidth, menu.right + 1) || box.top < menu.top - 1 || box.bottom > menu.bottom + 1;
}).map((part) => part.textContent)"""

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
    "/prepared/",
]
CONSOLE = [
    "/admin/", "/admin/usage/job/", "/admin/usage/importrun/", "/admin/billing/receipt/", "/admin/billing/rateversion/",
    "/admin/billing/rateversion/what-if/?start=2026-10-01&end=2026-10-31&mu.cpu=2", "/admin/billing/closedmonth/",
    "/admin/billing/closedmonth/2026-10/", "/admin/billing/receipt/run/", "/admin/accounts/tierrule/try/?username=alice",
    "/api/docs/", "/verify/", "/playground/?view=script", "/admin/exports/",
    "/admin/payments/payment/", "/admin/audit/auditlog/", "/admin/accounts/user/", "/admin/search/?q=alice-and-bob",
    "/admin/accounts/prepared/", "/admin/accounts/approval/", "/admin/accounts/emailnotification/", "/admin/accounts/organisation/", "/admin/usage/importrun/upload/",
    "/admin/billing/receipt/?status__exact=pending", "/style/", "/admin/subscriptions/subscription/",
    "/admin/usage/meter/", "/admin/usage/meter/add/", "/admin/usage/usageaggregate/", "/admin/usage/quotawindow/",
    "/admin/billing/invoicetemplate/", "/admin/billing/invoicetemplate/add/",
    "/admin/billing/taxrate/add/", "/admin/subscriptions/aimodel/", "/admin/subscriptions/plan/",
]  # fmt: skip
