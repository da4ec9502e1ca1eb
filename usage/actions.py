"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "usage_import": _("Usage imported"),
    "usage_export": _("Usage exported"),
}
