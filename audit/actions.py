"""What this app writes to its own log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "audit_export": _("Audit log exported"),
    "audit_seal": _("Audit chain sealed"),
}
