"""Taxes of lines: which one counts, what an invoice says of each, and all of it back to nothing by credit notes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import translation

from accounts.models import Project
from audit.models import AuditLog
from billing.documents.invoice_paper import bill_of
from billing.models import (
    ChargeKind,
    Invoice,
    InvoiceStatus,
    LedgerAccount,
    SubscriptionCharge,
    TaxRate,
    TaxRule,
)
from billing.reports.base import Asked
from billing.reports.tax import COLUMNS, rows
from billing.selectors.documents.invoice_digest import is_unchanged
from billing.selectors.journal import trial_balance
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.ledger.journal import post_journal
from billing.services.pricing.taxes import create_tax_rule, end_tax_rule, set_tax_rate
from core.errors import BadInput
from hpcbilling import books
from tests.billing.invoicing import FIN, MONTH, draft, fee, finalized, make_customer, off, price, use
from tests.billing.test_api import problem, signed_in
from tests.billing.test_finance_api import API, send, twice
from tests.billing.test_prices_console import act
from tests.pages.conftest import as_finance, text

__all__ = ["as_finance"]
pytestmark = pytest.mark.django_db
D = Decimal
NEW_YEAR, NOV = date(2026, 1, 1), date(2026, 11, 1)
CHECKS = ("invoice_totals", "invoice_dues", "invoice_digests", "credit_notes", "journal", "journal_balance",
          "journal_receivable")  # fmt: skip


@pytest.fixture
def project() -> Project:
    """100 of usage and a fee of 200 in October."""
    found = make_customer()
    price(per_unit="1")
    use(found, 100)
    fee(found, "200")
    return found


@pytest.fixture
def taxes() -> None:
    rate("vat", "S", "VAT", "7")
    rate("zero", "Z", "VAT")
    rate("exempt", "E", "VAT exempt", reason="Section 81 (1)", reason_th="มาตรา 81 (1)")


def rate(code: str, category: str, label: str, percent: str = "0", **fields: Any) -> TaxRate:
    given = {"effective_from": NEW_YEAR, **fields}
    return set_tax_rate(actor=FIN, code=code, category=category, label=label, rate=D(percent), **given)


def rule(tax: str, **fields: Any) -> TaxRule:
    return create_tax_rule(actor=FIN, tax=tax, **{"effective_from": NEW_YEAR, **fields})


def said(invoice: Invoice) -> list[tuple[str, int, str, str]]:
    found = invoice.taxes.order_by("category", "rate")
    return [(each.category, int(each.rate), f"{each.base:.2f}", f"{each.amount:.2f}") for each in found]


def money(invoice: Invoice) -> tuple[str, ...]:
    return tuple(f"{each:.2f}" for each in (invoice.subtotal, invoice.discount, invoice.tax, invoice.total))


def all_is_well() -> None:
    post_journal(actor=FIN)
    for name in CHECKS:
        assert books.INVARIANTS[name]() == [], name


def test_without_a_rule_the_tax_of_the_site_counts(project: Project, taxes: None, settings: Any) -> None:
    assert said(draft(project)) == []
    settings.BILLING_TAX_ENABLED = True
    invoice = draft(project)
    assert said(invoice) == [("S", 7, "300.00", "21.00")]
    assert invoice.taxes.get().code == ""


def test_each_rate_and_category_has_its_row(project: Project, taxes: None) -> None:
    rule("vat")
    rule("zero", kind="usage")
    invoice = finalized(project)
    assert said(invoice) == [("S", 7, "200.00", "14.00"), ("Z", 0, "100.00", "0.00")]
    assert money(invoice) == ("300.00", "0.00", "14.00", "314.00")
    assert [line.tax_category for line in invoice.lines.order_by("line_number")] == ["Z", "S"]


def test_what_is_narrower_counts_first_and_an_organisations_own_before_all(project: Project, taxes: None) -> None:
    rule("vat")
    rule("exempt", kind="usage")
    rule("zero", metric_name="api.call")
    plan = SubscriptionCharge.objects.get().subscription.plan
    rule("zero", plan=plan)
    assert said(draft(project)) == [("Z", 0, "300.00", "0.00")]
    rule("exempt", organisation=project.organisation)
    assert said(draft(project)) == [("E", 0, "300.00", "0.00")]
    rule("vat", organisation=project.organisation, kind="fees")
    assert said(draft(project)) == [("E", 0, "100.00", "0.00"), ("S", 7, "200.00", "14.00")]
    other = make_customer("Other", "other")
    use(other, 10)
    assert said(draft(other)) == [("Z", 0, "10.00", "0.00")]


def test_a_month_has_the_taxes_of_its_first_day(project: Project, taxes: None) -> None:
    rule("vat")
    rate("vat", "S", "VAT", "10", effective_from=date(2026, 10, 2))
    assert said(finalized(project)) == [("S", 7, "300.00", "21.00")]
    use(project, 100, timestamp=datetime(2026, 11, 5, tzinfo=UTC))
    assert said(draft(project, NOV)) == [("S", 10, "100.00", "10.00")]
    assert said(Invoice.objects.get(month=10)) == [("S", 7, "300.00", "21.00")]


def test_a_rule_that_begins_later_replaces_one_and_one_that_ended_says_nothing(project: Project, taxes: None) -> None:
    old = rule("zero")
    rule("vat", effective_from=MONTH)
    assert said(draft(project)) == [("S", 7, "300.00", "21.00")]
    wrong = rule("exempt", effective_from=MONTH)
    assert [each[0] for each in said(draft(project))] == ["E"]
    assert end_tax_rule(actor=FIN, rule=wrong, last_day=date(2026, 9, 30))
    assert [each[0] for each in said(draft(project))] == ["S"]
    assert end_tax_rule(actor=FIN, rule=old, last_day=date(2026, 9, 30))
    assert not end_tax_rule(actor=FIN, rule=old, last_day=date(2026, 9, 30))
    with pytest.raises(BadInput, match="before its first"):
        end_tax_rule(actor=FIN, rule=old, last_day=date(2025, 12, 30))
    told = AuditLog.objects.filter(action__startswith="tax_").values_list("action", flat=True)
    assert sorted(told) == ["tax_rate_set"] * 3 + ["tax_rule_create"] * 3 + ["tax_rule_end"] * 2


def test_an_exempt_customers_invoice_says_why_in_both_languages(project: Project, taxes: None) -> None:
    rule("exempt", organisation=project.organisation, reason="Certificate 123/2569", reason_th="หนังสือรับรอง 123/2569")
    invoice = finalized(project)
    assert money(invoice) == ("300.00", "0.00", "0.00", "300.00")
    (row,) = bill_of(invoice).taxes
    assert (row.label, row.reason) == ("VAT exempt", "Certificate 123/2569")
    with translation.override("th"):
        assert bill_of(invoice).taxes[0].reason == "หนังสือรับรอง 123/2569"


def test_the_documents_hash_holds_category_and_reason(project: Project, taxes: None) -> None:
    from django.db import connection

    from billing.triggers import invoices

    rule("exempt", kind="usage")
    rule("zero", kind="fees")
    invoice = finalized(project)
    assert is_unchanged(invoice)
    with pytest.raises(IntegrityError if connection.vendor == "sqlite" else Exception), transaction.atomic():
        invoice.taxes.update(reason="another")
    invoices.remove(connection)
    try:
        invoice.taxes.filter(category="E").update(reason="another")
        assert not is_unchanged(invoice)
        invoice.taxes.filter(category="E").update(reason="Section 81 (1)")
        assert is_unchanged(invoice)
        invoice.lines.update(tax_category="Z")
        assert not is_unchanged(invoice)
        invoice.lines.filter(kind="usage").update(tax_category="E")
    finally:
        invoices.install(connection)


@pytest.mark.parametrize(("inclusive", "wanted"), [
    (False, ("300.00", "30.00", "12.60", "282.60")), (True, ("286.92", "28.70", "11.78", "270.00")),
])  # fmt: skip
def test_credit_notes_take_every_rate_back_to_nothing(
    project: Project, taxes: None, settings: Any, inclusive: bool, wanted: tuple[str, ...]
) -> None:
    settings.BILLING_TAX_INCLUSIVE = inclusive
    rule("vat", kind="fees")
    rule("exempt", kind="usage")
    off(project, percent=D(10))
    invoice = finalized(project)
    assert money(invoice) == wanted
    assert invoice.tax_inclusive == inclusive
    write_credit_note(actor=FIN, invoice=invoice, reason="half", lines={1: D(30), 2: D("77.77")})
    write_credit_note(actor=FIN, invoice=invoice, reason="rest")
    invoice.refresh_from_db()
    assert (invoice.amount_due, invoice.amount_credited) == (0, invoice.total)
    all_is_well()
    assert not any(each.amount for each in trial_balance(currency="THB") if each.role.startswith("output_tax"))
    back = invoice.credit_notes.all()
    assert sum(each.tax for each in back) == invoice.tax
    assert sum(each.subtotal for each in back) == invoice.subtotal - invoice.discount


def test_the_report_and_the_journal_are_by_rate_and_category(project: Project, taxes: None) -> None:
    rate("low", "S", "VAT", "2.5")
    rule("vat", kind="fees")
    rule("low", kind="usage")
    invoice = finalized(project)
    write_credit_note(actor=FIN, invoice=invoice, reason="less", lines={1: D(40)})
    all_is_well()
    found = {each.role: each.amount for each in trial_balance(currency="THB")}
    assert (found["output_tax.vat_7"], found["output_tax.low_2.5"]) == (D(-14), D("-1.50"))
    names = [column.name for column in COLUMNS]
    told = [dict(zip(names, row, strict=True)) for row in rows(Asked(None, None))]
    assert [(row["kind"], row["category"], row["rate"], row["base"], row["tax"]) for row in told] == [
        ("credit_note", "S", D("2.5"), D(-40), D(-1)), ("invoice", "S", D("2.5"), D(100), D("2.50")),
        ("invoice", "S", D(7), D(200), D(14)),
    ]  # fmt: skip
    account = LedgerAccount.objects.get(role="output_tax.low_2.5")
    assert (account.number, account.name) == ("2130", "Output tax: low 2.5 %")


def credit(of: SubscriptionCharge, amount: str) -> SubscriptionCharge:
    return SubscriptionCharge.objects.create(
        subscription=of.subscription, kind=ChargeKind.CREDIT, price=of.price, amount=D(amount), currency="THB",
        period_start=of.period_start, period_end=of.period_end, due_at=of.due_at,
        explanation={"share": "1/2"},
    )  # fmt: skip


class TestCreditsOfAnotherRate:
    """A fee that is taxed was given back in a month that bills only what is exempt."""

    @pytest.fixture
    def invoice(self, taxes: None) -> Invoice:
        project = make_customer()
        price(per_unit="1")
        use(project, 100)
        rule("vat", kind="fees")
        rule("exempt", kind="usage")
        earlier = fee(project, "60", claimed_by="x")
        credit(earlier, "-50")
        off(project, percent=D(10))
        return finalized(project)

    def test_it_waits_for_the_next_invoice_and_touches_no_other_rate(self, invoice: Invoice) -> None:
        assert money(invoice) == ("100.00", "10.00", "0.00", "90.00")
        assert said(invoice) == [("E", 0, "90.00", "0.00"), ("S", 7, "0.00", "0.00")]
        kept = SubscriptionCharge.objects.get(claimed_by="")
        assert (kept.amount, kept.explanation["carried_from"]) == (D(-50), str(invoice))
        all_is_well()

    def test_the_invoice_can_be_taken_back_in_parts_and_with_what_it_keeps(self, invoice: Invoice) -> None:
        write_credit_note(actor=FIN, invoice=invoice, reason="part", lines={1: D(90)})
        invoice.refresh_from_db()
        assert (invoice.amount_due, invoice.status) == (0, InvoiceStatus.PAID)  # what it keeps is still there
        write_credit_note(actor=FIN, invoice=invoice, reason="all", cancel=True)
        invoice.refresh_from_db()
        assert invoice.status in (InvoiceStatus.CANCELED, InvoiceStatus.REFUNDED)
        (free,) = SubscriptionCharge.objects.filter(claimed_by="")
        assert (free.amount, "carried_from" in free.explanation) == (D(-50), False)
        all_is_well()


@pytest.mark.parametrize(("field", "change"), [
    ("code", {"code": "V A T"}), ("category", {"category": "X", "rate": D(0)}), ("label", {"label": " "}), ("rate", {"rate": D(0)}),
    ("rate", {"rate": D("7.001")}), ("rate", {"rate": D("NaN")}), ("rate", {"category": "Z"}),
    ("reason", {"category": "E", "rate": D(0)}), ("reason_th", {"reason_th": "x" * 256}),
    ("effective_from", {"effective_from": date(1999, 12, 31)}),
])  # fmt: skip
def test_what_is_no_tax_is_refused(field: str, change: dict[str, Any]) -> None:
    given: dict[str, Any] = {"code": "vat", "category": "S", "label": "VAT", "rate": D(7), "effective_from": MONTH}
    with pytest.raises(BadInput) as caught:
        set_tax_rate(actor=FIN, **(given | change))
    assert list(caught.value.details["errors"]) == [field]


def test_no_rate_below_nothing_is_kept() -> None:
    assert str(rate("zero", "Z", "Zero rated", "-0.00").rate) == "0"


@pytest.mark.parametrize(("field", "change"), [
    ("tax", {"tax": "none"}), ("kind", {"kind": "houses"}), ("metric_name", {"kind": "jobs", "metric_name": "x"}),
    ("effective_from", {"effective_from": date(2025, 12, 31)}), ("effective_to", {"effective_to": date(2025, 1, 1)}),
])  # fmt: skip
def test_what_is_no_rule_is_refused(taxes: None, field: str, change: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        rule(**{"tax": "vat", **change})
    assert list(caught.value.details["errors"]) == [field]


def test_the_same_rate_once_more_changes_nothing(taxes: None) -> None:
    assert rate("vat", "S", "VAT", "7") == TaxRate.objects.get(code="vat")
    corrected = rate("vat", "S", "VAT", "7.5")  # of the same day: the last one counts
    assert TaxRate.objects.filter(code="vat").count() == 2
    assert corrected.rate == D("7.5")


def test_the_database_refuses_a_rate_of_what_is_exempt(taxes: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TaxRate.objects.filter(code="exempt").update(rate=7)


def test_over_the_api_taxes_are_set_and_rules_ended(finance: Any, project: Project) -> None:
    staff = signed_in(finance)
    row = twice(staff, "tax-rates", {"code": "vat", "category": "S", "label": "VAT", "rate": "7",
                                     "effective_from": "2026-01-01"}, 201)  # fmt: skip
    assert (row["rate"], row["reason"]) == ("7.00", "")
    made = twice(staff, "tax-rules", {"tax": "vat", "organisation": str(project.organisation.uuid), "plan": "pro",
                                      "effective_from": "2026-01-01"}, 201)  # fmt: skip
    assert (made["plan"], made["metric"], made["effective_to"]) == ("pro", "", None)
    ended = twice(staff, f"tax-rules/{made['id']}/end", {"last_day": "2026-12-31"}, 200)
    assert staff.get(f"{API}/tax-rules", {"on": "2026-12-31"}).json()["results"] == [ended]
    assert staff.get(f"{API}/tax-rules", {"on": "2027-01-01"}).json()["results"] == []
    assert staff.get(f"{API}/tax-rates", {"code": "vat"}).json()["results"] == [row]
    problem(send(staff, "tax-rules/999999/end", {"last_day": "2026-12-31"}), 404, "not_found")
    answer = send(staff, "tax-rules", {"tax": "vat", "plan": "none", "effective_from": "2026-01-01"})
    assert answer.status_code == 400
    both = {"tax": "vat", "kind": "jobs", "metric": "ocr.page", "effective_from": "2026-01-01"}
    assert list(send(staff, "tax-rules", both).json()["errors"]) == ["metric"]
    invoice = finalized(project)
    shown = staff.get(f"{API}/invoices/{invoice.uuid}").json()
    assert [(each["category"], each["code"]) for each in shown["taxes"]] == [("S", "vat")]
    assert [each["tax_category"] for each in shown["lines"]] == ["O", "S"]


def test_in_the_console_taxes_and_rules_are_added_and_ended(as_finance: Client, project: Project) -> None:
    assert "Add a tax rate first." in text(as_finance.get("/admin/billing/taxrule/add/"))
    data = {"code": "exempt", "category": "E", "label": "VAT exempt", "rate": "0", "reason": "", "reason_th": "",
            "effective_from": "2026-01-01"}  # fmt: skip
    assert "needs its reason" in text(as_finance.post("/admin/billing/taxrate/add/", data))
    answer = as_finance.post("/admin/billing/taxrate/add/", {**data, "reason": "Section 81"})
    assert answer.status_code == 302, answer.context["errors"]
    about = {"tax": "exempt", "organisation": project.organisation.pk, "kind": "", "metric_name": "", "plan": "",
             "reason": "", "reason_th": "", "effective_from": "2026-01-01", "effective_to": ""}  # fmt: skip
    answer = as_finance.post("/admin/billing/taxrule/add/", about)
    assert answer.status_code == 302, answer.context["errors"]
    row = TaxRule.objects.get()
    assert "everything" in text(as_finance.get("/admin/billing/taxrule/"))
    assert as_finance.get(f"/admin/billing/taxrule/{row.pk}/change/").status_code == 200
    invoice = finalized(project)
    assert "Section 81" in text(as_finance.get(f"/admin/billing/invoice/{invoice.pk}/change/"))
    assert "Section 81" in text(as_finance.get(invoice.get_absolute_url()))
    assert "1 tax rule ended." in act(as_finance, "/admin/billing/taxrule/", "end_action", row.pk, "2026-12-31")
