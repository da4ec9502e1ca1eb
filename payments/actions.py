"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "payment_start": _("Payment started"),
    "payment_succeeded": _("Payment succeeded"),
    "payment_failed": _("Payment failed"),
    "payment_canceled": _("Payment canceled"),
    "payment_authorized": _("Payment authorized"),
    "payment_needs_review": _("Payment needs review"),
}
