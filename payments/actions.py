"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "payment_start": _("Payment started"),
    "payment_succeeded": _("Payment succeeded"),
    "payment_failed": _("Payment failed"),
    "payment_canceled": _("Payment canceled"),
    "payment_authorized": _("Payment authorized"),
    "payment_needs_review": _("Payment needs review"),
    "payment_credit": _("Money received on top"),
    "payment_retry": _("Payment tried again"),
    "payment_retry_set": _("Retries of a payment changed"),
    "payment_given_up": _("Payment given up"),
    "refund_request": _("Refund asked for"),
    "refund_found": _("Refund made at the provider"),
    "refund_pending": _("Refund under way"),
    "refund_succeeded": _("Refund done"),
    "refund_failed": _("Refund failed"),
    "refund_canceled": _("Refund canceled"),
    "dispute_open": _("Dispute opened"),
    "dispute_won": _("Dispute won"),
    "dispute_lost": _("Dispute lost"),
    "transfer_submit": _("Bank transfer reported"),
    "transfer_accept": _("Bank transfer accepted"),
    "transfer_reject": _("Bank transfer rejected"),
    "statement_import": _("Bank statement imported"),
    "statement_match": _("Bank statement line matched"),
    "statement_ignore": _("Bank statement line set aside"),
    "statement_reopen": _("Bank statement line opened again"),
    "webhook_replay": _("Payment message worked on again"),
}
