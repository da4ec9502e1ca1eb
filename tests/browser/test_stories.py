"""The main stories, in a real browser."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organisation, Project, ProjectLead
from billing.models import Receipt
from tests.browser.addresses import CONSOLE, CUT, PAGES
from tests.factories import make_jobs

# The server runs beside the test, so its data must be committed.
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def lead(username: str, *accounts: str) -> Project:
    """A project of these Slurm accounts that the user leads."""
    project = Project.objects.create(organisation=Organisation.objects.create(name="Science"), name="Low temperature")
    for account in accounts:
        project.accounts.create(account=account)
    ProjectLead.objects.create(project=project, user_id=username)
    return project


def first_receipt() -> int:
    """Number of the first receipt, once the browser's order has been carried out."""
    return Receipt.objects.order_by("pk").values_list("pk", flat=True)[0]


def test_sign_in_filter_and_follow_a_job_to_its_price(visit: Any, usage: None) -> None:
    alice = visit()
    alice.sign_in("alice")
    alice.page.click("nav >> text=Usage")
    alice.page.select_option("#id_account", "ministry")
    alice.page.click("main >> text=Filter")
    assert "account=ministry" in alice.page.url
    assert alice.page.locator("tbody tr").count() == 20
    alice.page.click("text=Account: ministry")
    assert alice.page.locator("tbody tr").count() == 40
    assert alice.complaints == []


def test_create_receipts_and_pay_one_at_the_checkout(visit: Any, usage: None) -> None:
    alice = visit()
    alice.sign_in("alice")
    alice.page.click("text=Create a receipt")
    alice.page.click("text=Everything not billed yet")
    alice.page.click("text=Create 2 receipts")
    alice.page.wait_for_url("**/receipts/")
    pk = first_receipt()
    alice.page.click(f"main >> text=Receipt {Receipt.objects.get(pk=pk)}")
    alice.page.click("main button:has-text('Pay')")
    alice.page.wait_for_url("**/payments/simulate**")
    alice.page.click("main button[value=succeed]")
    alice.page.wait_for_url("**/payments/thanks**")
    assert "Thank you, it is paid" in alice.page.inner_text("main")
    assert Receipt.objects.get(pk=pk).status == "paid"
    alice.page.click("text=Open the receipt")
    assert "Checkout opened" in alice.page.inner_text(".timeline")
    assert alice.complaints == []


def test_a_lead_follows_a_member_and_pays_for_the_project(visit: Any, usage: None, bob: Any) -> None:
    project = lead("alice", "physics", "ministry")
    make_jobs(3, username="bob", account="physics", end_at=timezone.now() - timedelta(days=1), used_cpu_seconds=7200)
    alice = visit()
    alice.sign_in("alice")
    alice.page.click("nav >> text=Projects")
    alice.page.wait_for_url(f"**/projects/{project.pk}/")
    alice.page.click("main >> text=Show the numbers")
    alice.page.click("main tbody >> text=bob")
    assert "user=bob" in alice.page.url
    assert alice.page.locator("tbody tr").count() == 3
    assert "50 %" in alice.page.inner_text("tbody")
    alice.page.click("main tbody tr >> nth=0 >> css=a")
    assert "50 % of what it held" in alice.page.inner_text("main")
    alice.go(f"/projects/{project.pk}/")
    alice.page.click("main .actions >> text=Create a receipt")
    alice.page.click("text=Everything not billed yet")
    alice.page.click("text=Create 2 receipts")
    alice.page.wait_for_url("**/receipts/")
    assert set(Receipt.objects.values_list("user_id", "project_id")) == {("alice", project.pk)}
    alice.go(f"/receipts/{first_receipt()}/")
    alice.page.click("main button:has-text('Pay')")
    alice.page.click("main button[value=succeed]")
    alice.page.wait_for_url("**/payments/thanks**")
    for width in (390, 1440):
        alice.page.set_viewport_size({"width": width, "height": 900})
        for path in ("", "usage/", "receipts/new/?start=&end="):
            alice.go(f"/projects/{project.pk}/{path}")
            assert alice.overflow() == 0, (path, width)
    assert alice.complaints == []


def test_sessions_end_after_a_question_that_counts_them(visit: Any, alice: Any) -> None:
    elsewhere, here = visit(), visit()
    elsewhere.sign_in("alice")
    here.sign_in("alice")
    here.go("/account/")
    here.page.click("text=End all others")
    dialog = here.page.get_by_role("dialog")
    assert "1 session ends at once" in dialog.inner_text()
    here.page.keyboard.press("Escape")
    assert not dialog.is_visible()
    here.page.click("text=End all others")
    dialog.locator("button[type=submit]").click()
    here.page.wait_for_url("**/account/")
    assert "1 session ended." in here.page.inner_text("main")
    elsewhere.page.goto(elsewhere.base + "/usage/")
    assert "/accounts/login/" in elsewhere.page.url
    assert here.complaints == []


def test_the_link_of_a_price_is_copied_and_said(visit: Any, db: None) -> None:
    stranger = visit(permissions=["clipboard-read", "clipboard-write"])
    stranger.go("/playground/")
    stranger.page.fill("#id_cpus", "3")
    stranger.page.wait_for_url("**cpus=3**")
    stranger.page.click("text=Copy the link")
    stranger.page.locator("#toast", has_text="The link is copied").wait_for()
    assert stranger.page.evaluate("navigator.clipboard.readText()") == stranger.page.url
    assert stranger.complaints == []


def test_a_failed_payment_leaves_the_receipt_open(visit: Any, usage: None) -> None:
    alice = visit()
    alice.sign_in("alice")
    alice.go("/receipts/new/?start=&end=")
    alice.page.click("text=Create 2 receipts")
    alice.page.wait_for_url("**/receipts/")
    alice.page.click(f"main >> text=Receipt {Receipt.objects.get(pk=first_receipt())}")
    alice.page.click("main button:has-text('Pay')")
    alice.page.click("main button[value=fail]")
    assert "Not paid" in alice.page.inner_text("main h1")
    assert set(Receipt.objects.values_list("status", flat=True)) == {"pending"}
    assert alice.complaints == []


def test_the_language_switch_stays(visit: Any, usage: None) -> None:
    alice = visit()
    alice.sign_in("alice")
    alice.go("/usage/?period=all")
    alice.page.click("button[value=th]")
    assert alice.page.url.endswith("/usage/?period=all")
    assert alice.page.get_attribute("html", "lang") == "th"
    alice.go("/receipts/")
    assert alice.page.get_attribute("html", "lang") == "th"
    assert alice.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_in_both_languages(visit: Any, usage: None, scheme: str) -> None:
    alice = visit(color_scheme=scheme)
    alice.sign_in("alice")
    alice.go("/receipts/new/?start=&end=")
    alice.page.click("text=Create 2 receipts")
    alice.page.wait_for_url("**/receipts/")
    alice.page.set_viewport_size({"width": 360, "height": 800})
    for language in ("en", "th"):
        alice.go("/")
        alice.page.click(f"button[value={language}]")
        for path in [*PAGES, f"/receipts/{first_receipt()}/"]:
            alice.go(path)
            assert alice.overflow() == 0, (path, language)
            assert alice.page.evaluate(CUT) == [], (path, language)
    assert alice.complaints == []


def test_print_opens_the_dialogue_once_and_paper_has_the_total_once(visit: Any, usage: None) -> None:
    alice = visit()
    alice.sign_in("alice")
    alice.go("/receipts/new/?start=&end=")
    alice.page.click("text=Create 2 receipts")
    alice.page.wait_for_url("**/receipts/")
    alice.page.add_init_script("window.print = () => { window.printed = (window.printed || 0) + 1; }")
    alice.go(f"/receipts/{first_receipt()}/")
    alice.page.click("main >> text=Print")
    alice.page.wait_for_function("window.printed === 1")
    assert "#" not in alice.page.url
    alice.page.click("main >> text=Print")
    alice.page.wait_for_function("window.printed === 2")
    alice.page.reload()
    assert alice.page.evaluate("window.printed") is None
    alice.page.emulate_media(media="print")
    feet = "[...document.querySelectorAll('tfoot')].map((foot) => getComputedStyle(foot).display)"
    assert set(alice.page.evaluate(feet)) == {"table-row-group"}, "a foot group is repeated on every sheet"
    assert alice.complaints == []


def test_the_form_of_a_user_fits_a_phone_and_can_be_read(visit: Any, superuser: Any) -> None:
    root = visit()
    root.sign_in("root")
    root.page.set_viewport_size({"width": 360, "height": 800})
    root.go("/admin/accounts/user/root/change/")
    for box in root.page.locator(".field-groups input[type=checkbox]").all():
        label = box.locator("xpath=ancestor::label")
        found = label.bounding_box()
        assert found["x"] + found["width"] <= 360
    button, words = (root.page.locator(f"#id_password p >> nth={n}").bounding_box() for n in (1, 0))
    assert button["y"] >= words["y"] + words["height"]


def test_the_console_breaks_no_policy_and_cuts_no_column(visit: Any, usage: None, superuser: Any) -> None:
    finance = visit()
    finance.sign_in("root")
    for path in CONSOLE:
        finance.go(path)
        hidden = "e => e.scrollWidth - e.clientWidth"
        assert [table.evaluate(hidden) for table in finance.page.locator("#changelist .results").all()] in ([], [0]), (
            path
        )
    assert finance.complaints == []


def test_the_price_follows_the_form_and_the_link_follows_the_price(visit: Any, db: None) -> None:
    stranger = visit()
    stranger.go("/playground/")
    stranger.page.fill("#id_cpus", "3")
    stranger.page.fill("#id_hours", "2")
    stranger.page.locator("#price", has_text="6.0000").wait_for()
    stranger.page.wait_for_url("**cpus=3**")
    stranger.page.fill("#id_hours", "")
    stranger.page.locator("#price", has_text="does not fit").wait_for()
    assert stranger.complaints == []


def test_a_long_script_is_priced_while_it_is_pasted_and_the_address_keeps_what_counts(visit: Any, db: None) -> None:
    stranger = visit()
    stranger.go("/playground/?view=script")
    stranger.page.fill("#id_script", "#SBATCH -n 3 -t 120 --mem=1G\n" + "# a remark\n" * 800)
    stranger.page.locator("#price", has_text="6.0000").wait_for()
    stranger.page.wait_for_url("**mem%3D1G**")
    assert "remark" not in stranger.page.url
    with stranger.page.expect_navigation():
        stranger.page.click("main button.primary")
    assert "6.0000" in stranger.page.inner_text("#price")
    stranger.page.fill("#id_script", "#SBATCH -n x")
    stranger.page.locator("#price", has_text="no whole number").wait_for()
    assert stranger.complaints == []


def test_everything_works_without_scripts(visit: Any, usage: None) -> None:
    alice = visit(java_script_enabled=False)
    alice.sign_in("alice")
    alice.go("/playground/")
    alice.page.fill("#id_hours", "2")
    alice.page.click("main button[type=submit]")
    assert "16.0000" in alice.page.inner_text("#price")
    alice.page.click("summary:has-text('alice')")
    alice.page.click("text=Sign out")
    alice.page.wait_for_url("**/accounts/login/")
