"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "usage_import": _("Usage imported"),
    "usage_export": _("Usage exported"),  # of logs written before every export was recorded as "export"
    "events_import": _("Metered events imported"),
    "usage_reconcile": _("Usage reconciled with its source"),
    "usage_row_release": _("Refused row released"),
    "usage_row_dismiss": _("Refused row dismissed"),
    "usage_change_accept": _("Changed record accepted"),
    "usage_change_dismiss": _("Changed record dismissed"),
    "usage_hold_clear": _("Hold of a job cleared"),
    "alert_create": _("Alert created"),
    "alert_change": _("Alert changed"),
    "alert_on": _("Alert switched on"),
    "alert_off": _("Alert switched off"),
    "alert_acknowledge": _("Alert seen"),
}
