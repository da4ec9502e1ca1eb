"""The groups of the finance console and what each may do. ``migrate`` brings the database in line with this file.

A permission is ``app.codename``; ``app.*`` and ``app.view_*`` stand for every one of that
app. Names of models that do not exist yet are skipped and arrive with their model.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS
from django.utils.translation import pgettext_lazy

APPS = ("audit", "accounts", "subscriptions", "usage", "billing", "payments", "hpcbilling")
VIEW_ALL = (*(f"{app}.view_*" for app in APPS), "auth.view_group")

GROUPS: dict[str, tuple[str, ...]] = {
    "Admin": (*(f"{app}.*" for app in APPS if app != "audit"), "audit.view_*", "auth.*_group"),
    "Finance": (
        *VIEW_ALL,
        "billing.add_receipt", "billing.change_receipt", "billing.mark_paid_receipt", "billing.void_receipt",
        "billing.add_invoice", "billing.change_invoice", "billing.finalize_invoice", "billing.credit_invoice",
        "billing.add_exportcolumn", "billing.add_invoicetemplate", "billing.add_journalexport",
        "billing.change_exportcolumn", "billing.change_invoicetemplate", "billing.change_ledgeraccount",
        "billing.close_accountingperiod", "billing.delete_exportcolumn", "billing.pay_invoice", "billing.send_invoice",
        "billing.write_off_invoice",
        "billing.add_closedmonth", "billing.adjust_closedmonth", "billing.add_rateversion", "payments.resolve_payment",
        "payments.review_banktransfer", "payments.match_bankline",
        "payments.refund_payment", "payments.retry_payment", "payments.replay_paymentevent",
        "usage.change_quarantinedrow", "usage.change_adjustment", "usage.change_job",
        "usage.change_alertrule", "usage.change_alerthistory",
        "accounts.*_tier", "accounts.*_tierrule", "accounts.*_tieroverride",
        "accounts.add_project", "accounts.change_project", "accounts.*_projectaccount", "accounts.*_projectlead",
        "accounts.add_organisation", "accounts.change_organisation", "accounts.*_member",
        "accounts.add_testclock", "accounts.change_testclock", "accounts.advance_testclock",
        "accounts.change_emailnotification",
        "subscriptions.decide_subscription", "subscriptions.add_planprice",
        "billing.add_pricingplan", "billing.change_pricingplan", "billing.add_exchangerate",
        "billing.add_discount", "billing.change_discount", "billing.add_taxrate", "billing.add_taxrule",
        "billing.change_taxrule",
    ),
    "Rates editor": (
        "billing.view_rate", "billing.view_rateversion", "billing.add_rateversion", "accounts.view_tier",
    ),
    "Operator": (
        "usage.view_*", "usage.add_importrun", "usage.add_cluster", "usage.change_cluster",
        "usage.change_quarantinedrow", "usage.add_usageevent", "usage.*_meter", "accounts.view_apikey",
        "accounts.revoke_apikey",
        "usage.view_alertrule", "usage.view_alerthistory",
        "accounts.view_webhookendpoint", "accounts.change_webhookendpoint", "accounts.view_webhookdelivery",
        "accounts.view_webhookattempt", "accounts.change_webhookdelivery",
        "hpcbilling.view_periodictask", "accounts.view_auththrottle",
        "payments.view_paymentevent", "payments.replay_paymentevent",  # that they came, not what is inside
    ),
    "Support": ("accounts.view_user", "accounts.look_as_user", "usage.view_job", "billing.view_receipt"),
    "Auditor": VIEW_ALL,
}  # fmt: skip

# The names stay English in the database, as permissions and sign-on rules know them; people read them in theirs.
LABELS = {
    "Admin": pgettext_lazy("group", "Admin"),
    "Finance": pgettext_lazy("group", "Finance"),
    "Rates editor": pgettext_lazy("group", "Rates editor"),
    "Operator": pgettext_lazy("group", "Operator"),
    "Support": pgettext_lazy("group", "Support"),
    "Auditor": pgettext_lazy("group", "Auditor"),
}


def group_text(name: str) -> str:
    """A group's name for people; a site's own as it stands."""
    return str(LABELS.get(name, name))


def sync_groups(using: str = DEFAULT_DB_ALIAS, apps: Apps = installed, **kwargs: Any) -> None:
    """Create the groups and give each exactly its permissions. Runs after every ``migrate``; safe to repeat.

    Rights that a site adds to one of these groups are taken off again: for other
    combinations make a group of your own, those are left alone.
    """
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrating back to before the tables existed
        return
    rows = permission_model.objects.using(using).values_list("pk", "content_type__app_label", "codename")
    known = [(pk, f"{app}.{codename}") for pk, app, codename in rows]
    groups = group_model.objects.using(using)
    groups.bulk_create([group_model(name=name) for name in GROUPS], ignore_conflicts=True)
    ids = dict(groups.filter(name__in=GROUPS).values_list("name", "pk"))
    wanted = {(ids[name], pk) for name, patterns in GROUPS.items() for pk in _matching(known, patterns)}
    link = group_model.permissions.through
    present = set(link.objects.using(using).filter(group__in=ids.values()).values_list("group_id", "permission_id"))
    for group, permission in present - wanted:
        link.objects.using(using).filter(group_id=group, permission_id=permission).delete()
    missing = [link(group_id=group, permission_id=permission) for group, permission in sorted(wanted - present)]
    link.objects.using(using).bulk_create(missing, ignore_conflicts=True)


def _matching(known: Iterable[tuple[int, str]], patterns: tuple[str, ...]) -> set[int]:
    return {pk for pk, name in known if any(fnmatchcase(name, pattern) for pattern in patterns)}
