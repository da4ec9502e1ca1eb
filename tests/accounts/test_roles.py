"""The groups of the console, and what an ordinary administrator cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Project, Tier, TierOverride, User
from accounts.roles import GROUPS, sync_groups
from audit.models import AuditLog
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


REST = {
    "": "change that one, or give this one a day.",
    "2026-11-01": "change that one, or choose another day.",
}


def rights(group: str) -> set[str]:
    rows = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def changes(names: set[str]) -> set[str]:
    return {name for name in names if not name.split(".")[1].startswith("view_")}


def user_form(**fields: Any) -> dict[str, Any]:
    return {"role": "user", "is_active": "on", "language": "", **fields}


def test_migrate_makes_the_five_groups() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {
        "Admin", "Finance", "Rates editor", "Operator", "Auditor",
    }  # fmt: skip


def test_the_auditor_sees_everything_and_changes_nothing() -> None:
    assert changes(rights("Auditor")) == set()
    assert {"audit.view_auditlog", "accounts.view_user", "billing.view_receipt", "payments.view_payment",
            "usage.view_job", "usage.view_quarantinedrow"} <= rights("Auditor")  # fmt: skip


def test_finance_changes_receipts_decides_about_payments_and_imports_and_nothing_else() -> None:
    allowed = {"billing.change_receipt", "billing.mark_paid_receipt", "billing.void_receipt",
               "billing.add_receipt", "billing.add_closedmonth", "billing.adjust_closedmonth",
               "billing.add_rateversion", "payments.resolve_payment", "payments.refund_payment", "payments.retry_payment",
               "payments.replay_paymentevent", "payments.review_banktransfer", "payments.match_bankline", "usage.change_quarantinedrow", "usage.change_adjustment",
               "usage.change_job", "usage.change_alertrule", "usage.change_alerthistory"}  # fmt: skip
    allowed |= {f"billing.{act}_invoice" for act in ("add", "change", "finalize", "credit", "pay", "send")}
    allowed |= {"billing.add_invoicetemplate", "billing.change_invoicetemplate"}
    allowed |= {"billing.write_off_invoice", "billing.close_accountingperiod", "billing.change_ledgeraccount",
                "billing.add_journalexport", "billing.add_exportcolumn", "billing.change_exportcolumn",
                "billing.delete_exportcolumn"}  # fmt: skip
    allowed |= {f"accounts.{verb}_testclock" for verb in ("add", "change", "advance")}
    allowed |= {"billing.add_pricingplan", "billing.change_pricingplan", "billing.add_exchangerate",
                "billing.add_discount", "billing.change_discount", "billing.add_taxrate", "billing.add_taxrule",
                "billing.change_taxrule", "subscriptions.add_planprice"}  # fmt: skip
    allowed |= {f"accounts.{verb}_{model}" for verb in ("add", "change", "delete")
                for model in ("tier", "tierrule", "tieroverride", "projectaccount", "projectlead", "member")}  # fmt: skip
    allowed |= {"accounts.add_project", "accounts.change_project", "accounts.change_emailnotification",
                "accounts.add_organisation", "accounts.change_organisation"}  # fmt: skip
    allowed |= {"subscriptions.decide_subscription"}
    assert "billing.change_receipt" in changes(rights("Finance")) <= allowed
    assert {"payments.view_payment", "payments.view_paymentevent", "usage.view_job", "usage.view_importrun",
            "usage.view_quarantinedrow"} <= rights("Finance")  # fmt: skip


def test_finance_gives_back_and_collects_and_finance_and_auditor_see_all_of_payments() -> None:
    assert {"payments.refund_payment", "payments.retry_payment", "payments.replay_paymentevent"} <= rights("Finance")
    models = {f"payments.view_{model._meta.model_name}" for model in apps.get_app_config("payments").get_models()}
    assert {"payments.view_refund", "payments.view_dispute", "payments.view_reconciliationday"} <= models
    for group in ("Finance", "Auditor", "Admin"):
        assert models <= rights(group)


def test_the_rates_editor_only_adds_rate_versions() -> None:
    assert changes(rights("Rates editor")) == {"billing.add_rateversion"}


def test_the_operator_sees_no_money_and_works_on_messages_again() -> None:
    assert {name for name in rights("Operator") if name.startswith(("billing.", "payments."))} == {
        "payments.view_paymentevent", "payments.replay_paymentevent",
    }  # fmt: skip
    assert {"usage.add_cluster", "usage.view_importrun"} <= rights("Operator")
    assert not {"usage.change_job", "usage.change_adjustment", "usage.delete_quarantinedrow"} & rights("Operator")


def test_the_admin_group_manages_users_but_nobody_changes_the_audit_log() -> None:
    assert {"accounts.add_user", "accounts.change_user", "auth.change_group"} <= rights("Admin")
    for group in GROUPS:
        assert not {name for name in changes(rights(group)) if name.startswith("audit.")}


def test_syncing_brings_a_group_back_in_line_and_leaves_a_sites_own_group_alone() -> None:
    extra = Permission.objects.get(content_type__app_label="accounts", codename="delete_tier")
    own = Group.objects.create(name="Helpdesk")
    own.permissions.add(extra)
    auditor = Group.objects.get(name="Auditor")
    before = rights("Auditor")
    auditor.permissions.add(extra)
    auditor.permissions.remove(auditor.permissions.filter(codename="view_user").get())
    sync_groups()
    assert rights("Auditor") == before
    assert rights("Helpdesk") == {"accounts.delete_tier"}


def test_a_second_sync_writes_nothing(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(6) as queries:
        sync_groups()
    assert not [query["sql"] for query in queries.captured_queries if query["sql"].startswith(("DELETE", "UPDATE"))]


# --- the users page -----------------------------------------------------------
def test_a_new_user_is_made_in_the_console_with_a_folded_name_and_an_audit_row(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    data = {"username": "Carol", "role": "user", "usable_password": "true", "password1": PASSWORD,
            "password2": PASSWORD}  # fmt: skip
    answer = client.post(reverse("admin:accounts_user_add"), data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    carol = User.objects.get(pk="carol")
    assert carol.check_password(PASSWORD)
    entry = AuditLog.objects.get(action="object_add")
    assert (entry.actor, entry.entity_type, entry.entity_id) == ("root", "user", "carol")
    assert carol.password not in str(entry.changes)


def test_a_change_is_audited_with_old_and_new_including_groups(client: Client, superuser: Any, alice: Any) -> None:
    client.force_login(superuser)
    group = Group.objects.get(name="Finance")
    form = user_form(role="admin", groups=[group.pk])
    client.post(reverse("admin:accounts_user_change", args=["alice"]), form)
    entry = AuditLog.objects.get(action="object_change")
    assert entry.changes == {"role": ["user", "admin"], "groups": [[], ["Finance"]]}


def test_saving_without_a_change_leaves_no_audit_row(client: Client, superuser: Any, alice: Any) -> None:
    client.force_login(superuser)
    client.post(reverse("admin:accounts_user_change", args=["alice"]), user_form())
    assert not AuditLog.objects.filter(action="object_change").exists()


def test_the_user_name_cannot_be_changed_and_nobody_is_deleted(client: Client, superuser: Any, alice: Any) -> None:
    client.force_login(superuser)
    client.post(reverse("admin:accounts_user_change", args=["alice"]), user_form(username="mallory"))
    assert set(User.objects.values_list("pk", flat=True)) == {"alice", "root"}
    assert client.post(reverse("admin:accounts_user_delete", args=["alice"]), {"post": "yes"}).status_code == 403


def test_a_password_set_by_an_administrator_is_audited_under_their_name(
    client: Client, superuser: Any, alice: Any
) -> None:
    client.force_login(superuser)
    data = {"usable_password": "true", "password1": "another-good-one", "password2": "another-good-one"}
    answer = client.post(reverse("admin:auth_user_password_change", args=["alice"]), data)
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("another-good-one")
    entry = AuditLog.objects.get(action="password_change")
    assert (entry.actor, entry.target) == ("root", "alice")
    assert "another-good-one" not in str(list(AuditLog.objects.values()))


def test_an_administrator_who_is_no_superuser_cannot_make_or_touch_one(
    client: Client, make_user: Any, superuser: Any, alice: Any
) -> None:
    client.force_login(make_user("boss", role="admin", groups=["Admin"]))
    client.post(reverse("admin:accounts_user_change", args=["alice"]), user_form(is_superuser="on"))
    alice.refresh_from_db()
    assert not alice.is_superuser
    data = {"usable_password": "true", "password1": "another-good-one", "password2": "another-good-one"}
    assert client.post(reverse("admin:auth_user_password_change", args=["root"]), data).status_code == 403


def test_a_user_in_a_group_without_the_admin_role_stays_out_of_the_console(client: Client, make_user: Any) -> None:
    client.force_login(make_user("dave", groups=["Finance"]))
    assert client.get("/admin/").status_code == 302


def test_a_sites_own_group_is_audited_and_the_products_groups_are_only_shown(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    view = Permission.objects.get(content_type__app_label="usage", codename="view_job")
    client.post(reverse("admin:auth_group_add"), {"name": "Helpdesk", "permissions": [view.pk]})
    entry = AuditLog.objects.get(action="object_add")
    assert entry.changes["permissions"] == [None, [str(view)]]
    finance = Group.objects.get(name="Finance")
    address = reverse("admin:auth_group_change", args=[finance.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, {"name": "Finance", "permissions": []}).status_code == 403
    assert client.post(reverse("admin:auth_group_delete", args=[finance.pk]), {"post": "yes"}).status_code == 403
    listing = {"action": "delete_selected", "_selected_action": [finance.pk], "post": "yes"}
    client.post(reverse("admin:auth_group_changelist"), listing)
    assert Group.objects.filter(name="Finance").exists()


# --- tiers, rules, projects ---------------------------------------------------
def test_a_slurm_account_given_to_a_project_is_audited_with_the_project(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    form = {"name": "Physics", "tier": "mu", "billing_mode": "receipts", "is_active": "on", "currency": "THB",
            "time_zone": "Asia/Bangkok", "language": "en", "members-TOTAL_FORMS": 0, "members-INITIAL_FORMS": 0}  # fmt: skip
    client.post(reverse("admin:accounts_organisation_add"), form)
    inline = {"accounts-TOTAL_FORMS": 1, "accounts-INITIAL_FORMS": 0, "accounts-0-account": "phys01"}
    inline |= {"leads-TOTAL_FORMS": 1, "leads-INITIAL_FORMS": 0, "leads-0-user": superuser.pk}
    organisation = AuditLog.objects.get(action="object_add").entity_id
    data = {"organisation": organisation, "name": "Main", "is_active": "on", **inline}
    client.post(reverse("admin:accounts_project_add"), data)
    assert Project.objects.get().accounts.get().account == "phys01"
    assert AuditLog.objects.filter(action="object_add").latest("id").changes["accounts"] == [None, ["phys01"]]
    assert AuditLog.objects.filter(action="object_add").latest("id").changes["leads"] == [None, ["root"]]


def test_an_override_for_another_spelling_of_the_same_name_is_refused_in_words(client: Client, superuser: Any) -> None:
    client.force_login(superuser)
    data = {"username": " Alice ", "tier": "mu", "reason": "letter"}
    address = reverse("admin:accounts_tieroverride_add")
    assert client.post(address, data).status_code == 302
    row = TierOverride.objects.get()
    assert (row.username, row.set_by) == ("alice", "root")
    again = client.post(address, {**data, "username": "ALICE"})
    assert again.status_code == 200
    assert again.context["adminform"].form.errors


@pytest.mark.parametrize(
    ("day", "words"), [("", "without a first day already"), ("2026-11-01", "from this day on already")]
)
def test_two_overrides_that_begin_at_once_are_refused_in_words(
    client: Client, superuser: Any, day: str, words: str
) -> None:
    TierOverride.objects.create(username="alice", tier_id="mu", reason="letter", set_by="x", valid_from=day or None)
    client.force_login(superuser)
    data = {"username": "Alice", "tier": "gov", "reason": "another", "valid_from": day, "valid_until": ""}
    answer = client.post(reverse("admin:accounts_tieroverride_add"), data)
    assert answer.context["adminform"].form.errors == {"valid_from": [f"alice has an override {words}: {REST[day]}"]}
    assert "tier_overrides" not in answer.content.decode().partition("<form")[2].partition("errorlist")[2]
    assert TierOverride.objects.count() == 1


def test_a_deleted_override_is_audited_with_what_it_said(client: Client, superuser: Any) -> None:
    row = TierOverride.objects.create(username="alice", tier_id="mu", reason="letter", set_by="x")
    client.force_login(superuser)
    client.post(reverse("admin:accounts_tieroverride_delete", args=[row.pk]), {"post": "yes"})
    entry = AuditLog.objects.get(action="object_delete")
    assert (entry.entity_id, entry.changes["tier"]) == (str(row.pk), ["mu", None])


def test_an_auditor_opens_every_page_of_accounts_and_may_post_to_none(client: Client, auditor: Any) -> None:
    client.force_login(auditor)
    for model in ("user", "auththrottle", "tier", "tierrule", "tieroverride", "organisation", "project"):
        assert client.get(reverse(f"admin:accounts_{model}_changelist")).status_code == 200, model
    data = {"code": "mu", "name": "Hacked", "position": 1}
    assert client.post(reverse("admin:accounts_tier_change", args=["mu"]), data).status_code == 403
    assert Tier.objects.get(pk="mu").name == "University"


@pytest.mark.django_db(transaction=True)
def test_groups_come_back_with_migrate() -> None:
    Group.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert rights("Finance")
