"""What this app writes to its own log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "audit_export": _("Audit log exported"),  # of logs written before every export was recorded as "export"
    "export": _("Data exported"),
    "audit_seal": _("Audit chain sealed"),
    "audit_archive": _("Old audit entries archived"),
    "audit_key_rotation": _("Signing key of the audit log changed"),
    # written by audit.audited.AuditedAdmin for any app
    "object_add": _("Added in the console"),
    "object_change": _("Changed in the console"),
    "object_delete": _("Deleted in the console"),
}
