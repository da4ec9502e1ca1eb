"""Plain usage that PostgreSQL prices itself comes out as Python would have written it, to the last column."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings as site
from django.db import connection, transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import Organisation, Project
from audit.models import AuditLog
from billing.invoicing import plain_usage
from billing.models import Invoice, InvoiceLine, InvoiceTax, SubscriptionCharge
from billing.selectors.documents.invoice_explain import explain_line
from billing.services.invoices.credit_notes import write_credit_note
from billing.services.invoices.drafts import draft_invoices
from billing.services.invoices.issue import finalize_invoice
from billing.services.pricing.taxes import create_tax_rule, set_tax_rate
from tests.billing.invoicing import FIN, MONTH, draft, exchange, fee, make_customer, off, price, use
from usage.models import UsageAggregate

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
START = datetime(2026, 9, 30, 17, tzinfo=UTC)
METRICS, UNITS, MODELS = ("api.call", "gpu.Hours", "Zähler", "tokens"), ("", "GB", "gb-h"), ("", "m-1", "M_2")
NOT_OF_THE_CONTENT = {"id", "uuid", "invoice_id", "created_at", "updated_at", "watermark"}


def aggregate(project: Project, metric: str, total: Decimal, **fields: Any) -> None:
    UsageAggregate.objects.create(**{
        "organisation_id": project.organisation_id, "project": project, "metric_name": metric, "period_type": "month",
        "period_start": START, "total_value": total, "event_count": 3, "min_value": total, "max_value": total,
        "latest_value": total, "latest_at": START, **fields,
    })  # fmt: skip


def said(row: Any) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.attname not in NOT_OF_THE_CONTENT
    }


def drafted() -> dict[str, list[Any]]:
    """All that drafting wrote, without the keys; then it is taken back."""
    last = AuditLog.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        draft_invoices(actor=FIN, organisations=list(Organisation.objects.order_by("pk")), month=MONTH)
        found = {
            "invoices": [said(row) for row in Invoice.objects.order_by("organisation")],
            "lines": [said(row) for row in InvoiceLine.objects.order_by("invoice__organisation", "line_number")],
            "taxes": [said(row) for row in InvoiceTax.objects.order_by("invoice__organisation", "category", "rate")],
            "discounts": list(Invoice.discounts.through.objects.values_list("invoice__organisation", "discount")),
            "claims": list(SubscriptionCharge.objects.exclude(claimed_by="").order_by("pk").values_list("pk")),
            "log": list(AuditLog.objects.filter(pk__gt=last).order_by("pk").values_list("action", "extra")),
        }
        connection.check_constraints()
        transaction.set_rollback(True)
    return found


def both_ways() -> tuple[int, int]:
    """Draft as the database does it and as Python does; how many lines the database wrote, and how many there are."""
    lines: list[int] = []
    write = plain_usage.write

    def counted(*args: Any) -> Any:
        found = write(*args)
        lines.append(sum(each.lines for rows in found.values() for each in rows))
        return found

    with patch.object(plain_usage, "write", counted):
        ours = drafted()
    with patch.object(plain_usage, "write", lambda *args: {}):
        assert drafted() == ours
    return sum(lines), len(ours["lines"])


amounts = st.decimals(min_value=-2, max_value=10**9, places=9, allow_nan=False) | st.sampled_from(
    [Decimal(0), Decimal("0.005"), Decimal("1E-9"), Decimal(10**10), Decimal("2.5")]
)
prices = st.decimals(min_value=0, max_value=1000, places=12) | st.sampled_from(
    [Decimal("0.5"), Decimal("0.01"), Decimal(1)]
)
events, counts = st.sampled_from([1, 7, 10**6]), st.sampled_from([0, 1, 7, 10**6])


@st.composite
def worlds(draw: Any) -> dict[str, Any]:
    owners = draw(st.lists(st.sampled_from(["THB", "JPY", "KWD"]), min_size=1, max_size=3))
    kinds = st.tuples(st.sampled_from(METRICS), st.sampled_from(UNITS), st.sampled_from(MODELS))
    used = st.tuples(st.integers(0, len(owners) - 1), st.booleans(), kinds, amounts, events, counts)
    priced = st.tuples(
        kinds, st.sampled_from(["value", "value", "value", "events", "request_tokens"]), prices,
        st.sampled_from(["THB", "THB", "THB", "JPY"]),
    )  # fmt: skip
    return {
        "owners": owners,
        "used": draw(st.lists(used, max_size=8, unique_by=lambda each: each[:3])),
        "priced": draw(st.lists(priced, max_size=6, unique_by=lambda each: each[:2])),
        "any_unit": draw(st.booleans()),  # a price without unit and model, which nearly everything has
        "fees": draw(st.dictionaries(st.integers(0, len(owners) - 1), st.sampled_from(["100", "0.05"]))),
        "off": draw(st.booleans()), "own": draw(st.booleans()), "least": draw(st.booleans()),
        "tax": draw(st.sampled_from(["", "all", "metric", "two", "own"])), "inclusive": draw(st.booleans()),
    }  # fmt: skip


def make(world: dict[str, Any], site: Any) -> None:
    site.BILLING_TAX_ENABLED = world["tax"] != ""
    site.BILLING_TAX_INCLUSIVE = world["inclusive"]
    projects = []
    for number, currency in enumerate(world["owners"]):
        first = make_customer(f"Owner {number}", account="", currency=currency)
        projects.append([first, make_customer(f"Owner {number}", account="", project="second")])
    for owner, second, (metric, unit, model), total, events, tokens in world["used"]:
        aggregate(projects[owner][second], metric, total, unit=unit, model_id=model, event_count=events,
                  request_tokens=tokens)  # fmt: skip
    for owner, amount in world["fees"].items():
        fee(projects[owner][0], amount)
    if world["off"]:
        off(projects[-1][0], percent=Decimal(10))
    _prices(world, projects[0][0].organisation)
    _taxes(world["tax"], projects[0][0].organisation)


def _prices(world: dict[str, Any], owner: Organisation) -> None:
    for (metric, unit, model), quantity, each, currency in world["priced"]:
        price(metric, str(each), unit=unit, model_id=model, quantity=quantity, currency=currency,
              description="Calls" if unit else "", description_th="การเรียก")  # fmt: skip
    for metric in METRICS[:3] if world["any_unit"] else ():
        price(metric, "0.125", effective_from=date(2025, 1, 1))
    if world["own"]:
        price("api.call", "0.25", organisation=owner)
    if world["least"]:
        price("tokens", "0.001", minimum_charge=Decimal(50), unit="GB", effective_from=date(2026, 2, 1))
    for base, target in itertools.permutations(("JPY", "KWD", "THB"), 2):
        exchange(base, target, "0.25")


def _taxes(which: str, owner: Organisation) -> None:
    if not which:
        return
    begin = {"actor": FIN, "effective_from": date(2026, 1, 1)}
    set_tax_rate(code="vat", category="S", label="VAT", rate=Decimal(7), **begin)
    set_tax_rate(code="low", category="S", label="Low" if which == "metric" else "VAT", rate=Decimal(7), **begin)
    set_tax_rate(code="free", category="E", label="Exempt", reason="Section 81", reason_th="มาตรา 81", **begin)
    create_tax_rule(tax="vat", **begin)
    if which == "metric":
        create_tax_rule(tax="low", metric_name="gpu.Hours", **begin)
    if which == "two":
        create_tax_rule(tax="free", metric_name="api.call", **begin)
    if which == "own":
        create_tax_rule(tax="free", organisation=owner, **begin)


@given(worlds())
@settings(
    max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a world shrinks slowly
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
def test_whatever_there_is_comes_out_the_same_both_ways(world: dict[str, Any]) -> None:
    with override_settings(), transaction.atomic():
        make(world, site)
        both_ways()
        transaction.set_rollback(True)


def test_plain_usage_is_written_by_the_database_beside_a_fee() -> None:
    for number in range(3):
        project = make_customer(f"Owner {number}", account="")
        for metric in METRICS[:3]:
            aggregate(project, metric, Decimal(number) + Decimal("0.105"))
        fee(project)
    for metric in METRICS[:3]:
        price(metric)
    assert both_ways() == (9, 12)


@pytest.mark.parametrize(
    "what", ["own price", "discount", "minimum", "other currency", "negative", "no price", "credit"]
)
def test_what_is_not_plain_is_left_to_python_for_that_organisation_alone(what: str) -> None:
    other, one = make_customer("Other", account=""), make_customer("One", account="")
    price("api.call")
    for project in (other, one):
        aggregate(project, "api.call", Decimal(10))
    if what == "own price":
        price("api.call", "0.25", organisation=one.organisation)
    elif what == "discount":
        off(one, percent=Decimal(10))
    elif what == "minimum":
        price("tokens", minimum_charge=Decimal(50))
        aggregate(one, "tokens", Decimal(1))
    elif what == "other currency":
        Organisation.objects.filter(pk=one.organisation_id).update(currency="JPY")
        exchange("THB", "JPY", "4")
    elif what == "negative":
        aggregate(one, "api.call", Decimal(-1), unit="GB")
    elif what == "no price":
        aggregate(one, "tokens", Decimal(1))
    else:
        fee(one, "-2")
    assert both_ways()[0] == 1


def test_such_an_invoice_is_explained_finalized_computed_anew_and_credited_like_any_other() -> None:
    project = make_customer()
    price()
    use(project, 3)
    invoice = draft(project)
    (line,) = invoice.lines.all()
    explained = explain_line(line)
    assert (explained.exact, explained.total, explained.counted_now) == (Decimal("1.5"), line.total, Decimal(3))
    use(project, 2)
    again = draft(project)
    assert (again.pk, [each.quantity for each in again.lines.all()]) == (invoice.pk, [Decimal(5)])
    assert finalize_invoice(actor=FIN, invoice=again)
    again.refresh_from_db()
    assert write_credit_note(actor=FIN, invoice=again, reason="all of it").total == again.total
