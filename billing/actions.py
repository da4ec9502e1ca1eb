"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "rate_update": _("Rates set"),
    "receipt_create": _("Receipt created"),
    "receipt_void": _("Receipt voided"),
    "mark_paid": _("Receipt paid"),
    "receipt_refunded": _("Receipt refunded"),
    "receipt_paid_again": _("Receipt paid again"),
    "invoice_draft": _("Invoice drafted"),
    "invoice_refresh": _("Draft of an invoice computed anew"),
    "invoice_cancel": _("Draft of an invoice canceled"),
    "invoice_finalize": _("Invoice finalized"),
    "invoice_paid": _("Invoice paid"),
    "invoice_payment": _("Payment of an invoice recorded"),
    "invoice_credit": _("Credit note written"),
    "month_close": _("Month closed"),
    "subscription_fees": _("Fees of subscriptions charged"),
    "subscription_change": _("Plan changed"),
    "subscription_change_at_end": _("Change of plan set for the end of the period"),
    "subscription_new_plan": _("New plan taken over"),
    "subscription_cancel_at_end": _("Cancellation set for the end of the period"),
    "subscription_keep": _("Subscription kept as it is"),
    "month_adjust": _("Closed month adjusted"),
    "exchange_rate_set": _("Exchange rate set"),
    "exchange_rates_import": _("Exchange rates imported"),
    "usage_price_create": _("Price of usage set"),
    "usage_price_end": _("Price of usage ended"),
    "usage_price_off": _("Price of usage switched off"),
    "discount_create": _("Discount given"),
    "discount_end": _("Discount ended"),
}
