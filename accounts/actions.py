"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "login_success": _("Signed in"),
    "login_failure": _("Sign-in failed"),
    "logout": _("Signed out"),
    "lockout_start": _("Lockout began"),
    "lockout_active": _("Sign-in refused during a lockout"),
    "lockout_end": _("Lockout ended"),
    "password_refused": _("Wrong old password"),
    "password_change": _("Password changed"),
    "session_end": _("Sessions ended"),
    "view_as_start": _("Looked at pages as a user"),
    "view_as_download": _("Downloaded while looking as a user"),
    "view_as_end": _("Stopped looking as a user"),
    "approval_ask": _("Second signature asked for"),
    "approval_approved": _("Second signature given"),
    "approval_declined": _("Second signature declined"),
    "work_start": _("Long work started"),
    "work_cancel": _("Long work taken back"),
    "work_done": _("Long work done"),
    "work_failed": _("Long work failed"),
    "work_fetch": _("File of long work fetched"),
    "email_resend": _("E-mail sent again"),
    "user_bootstrap": _("Administrator created or updated"),
    "user_demo": _("Demo user created"),
}
