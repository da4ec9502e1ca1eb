"""What this app writes to the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "plan_price_set": _("Plan fee set"),
    "ai_model_create": _("AI model added"),
    "ai_model_change": _("AI model changed"),
    "ai_model_price": _("AI model price set"),
    "subscription_request": _("Subscription requested"),
    "subscription_start": _("Subscription started"),
    "subscription_approve": _("Subscription approved"),
    "subscription_deny": _("Subscription denied"),
    "subscription_suspend": _("Subscription suspended"),
    "subscription_resume": _("Subscription resumed"),
    "subscription_cancel": _("Subscription canceled"),
    "subscription_expire": _("Subscription ran out"),
    "subscription_trial_end": _("Trial ended"),
    "subscription_key_link": _("API key given a subscription"),
    "subscription_key_unlink": _("Subscription taken from an API key"),
    "subscription_past_due": _("Subscription past due"),
    "subscription_recover": _("Subscription no longer past due"),
}
