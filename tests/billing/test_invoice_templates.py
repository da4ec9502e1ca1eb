"""Templates of invoices: versions that never change, which one counts, what they make, who may write them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import translation

from audit.models import AuditLog
from billing.documents.note_values import note_values
from billing.documents.template_sample import sample_bill, sample_note
from billing.documents.template_values import annex_of, values_of
from billing.documents.templated import template_pdf
from billing.documents.values import MOST_LINES
from billing.models import InvoiceTemplate
from billing.selectors.documents.templates import Look, standard_look, template_for
from billing.services.invoices.templates import restore_template, save_template, set_template_active, use_template
from billing.templating import document, fields
from billing.words.templates import WORDS, TemplateRefused, meanings_of
from core.context import Actor
from core.errors import BadInput, Conflict
from tests.billing.invoicing import FIN, finalized, make_customer, price, use
from tests.billing.templating import LEAST
from tests.billing.test_receipt_pdf import both, pages, squeezed
from tests.races import at_once

pytestmark = pytest.mark.django_db
LOOK = Look(LEAST, "p { color: #0b5d66 }")


def save(look: Look = LOOK, **fields: Any) -> InvoiceTemplate:
    return save_template(actor=FIN, **{"name": "House style", "look": look, **fields})


# --- versions --------------------------------------------------------------------------
def test_a_change_makes_a_new_version_and_keeps_the_old_one() -> None:
    first = save()
    second = save(Look(LEAST + "<p>Thank you</p>", LOOK.css))
    assert (first.version, second.version) == (1, 2)
    first.refresh_from_db()
    assert first.html_content == LEAST


def test_the_same_again_is_no_new_version() -> None:
    assert save().pk == save().pk == save(Look(LEAST.replace("\n", "\r\n"), LOOK.css)).pk


def test_the_audit_log_says_who_changed_which_line() -> None:
    save()
    save(Look(LEAST + "<p>Pay to another account</p>\n", LOOK.css))
    entry = AuditLog.objects.filter(action="template_save").latest("pk")
    assert entry.actor == FIN.name
    assert "+<p>Pay to another account</p>" in entry.extra["diff"]


def test_a_refused_template_names_lines_and_variables_and_saves_nothing() -> None:
    with pytest.raises(TemplateRefused) as caught:
        save(Look(LEAST + "<p>{{totl}}</p>\n<p onclick='x'>{{number}}</p>", "p { position: fixed }\n@import 'x';"))
    found: Any = caught.value.details["problems"]
    assert [(each["part"], each["line"], each["name"]) for each in found] == [
        ("html", 3, "totl"), ("html", 4, "onclick"), ("css", 1, "position"), ("css", 2, "@import 'x';"),
    ]  # fmt: skip
    assert found[0]["message"] == "HTML, line 3: There is no variable {{totl}}."
    assert not InvoiceTemplate.objects.exists()


@pytest.mark.parametrize("name", ["number", "seller_name", "total", "tax_amount", "line_amount"])
def test_an_invoice_without_what_makes_it_one_is_refused(name: str) -> None:
    with pytest.raises(TemplateRefused, match=name):
        save(Look(LEAST.replace(f"{{{{{name}}}}}", ""), ""))


def test_an_empty_name_is_refused_by_field() -> None:
    with pytest.raises(BadInput) as caught:
        save(name="  ")
    assert caught.value.details["field"] == "name"


def test_an_earlier_version_comes_back_as_the_newest() -> None:
    first = save(use=True)
    save(Look(LEAST + "<p>x</p>", ""))
    third = restore_template(actor=FIN, template=first)
    assert (third.version, third.html_content, third.is_default) == (3, LEAST, True)


def test_the_database_keeps_what_a_version_says() -> None:
    row = save()
    for change in ({"html_content": "x"}, {"css_content": "x"}, {"version": 9}, {"name": "y"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            InvoiceTemplate.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        InvoiceTemplate.objects.filter(pk=row.pk).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_two_who_save_at_once_get_two_versions() -> None:
    looks = [Look(LEAST + f"<p>{each}</p>", "") for each in range(4)]
    at_once(4, lambda number: save(looks[number]))
    assert sorted(InvoiceTemplate.objects.values_list("version", flat=True)) == [1, 2, 3, 4]


# --- which one counts -------------------------------------------------------------------
def test_the_organisations_own_template_counts_before_the_one_for_all() -> None:
    project, other = make_customer(), make_customer("Other", account="other")
    common = save(use=True)
    own = save(organisation=project.organisation, use=True)
    assert template_for(project.organisation) == own
    assert template_for(other.organisation) == common
    set_template_active(actor=FIN, template=own, active=False)
    assert template_for(project.organisation) == common
    set_template_active(actor=FIN, template=common, active=False)
    assert template_for(project.organisation) is None


def test_one_is_used_at_a_time_and_a_repeat_changes_nothing() -> None:
    one, two = save(use=True), save(name="Other style")
    assert use_template(actor=FIN, template=two)
    assert not use_template(actor=FIN, template=two)
    one.refresh_from_db()
    assert not one.is_default
    assert AuditLog.objects.filter(action="template_use").count() == 2


def test_one_that_is_off_cannot_be_used() -> None:
    row = save()
    set_template_active(actor=FIN, template=row, active=False)
    with pytest.raises(Conflict):
        use_template(actor=FIN, template=row)


# --- what it makes ------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_every_variable_has_a_value_a_meaning_and_every_problem_its_words(kind: str) -> None:
    known = fields.KINDS[kind]
    for language in ("en", "th"):
        with translation.override(language):
            given = values_of(sample_bill()) if kind == "invoice" else note_values(sample_note())
            assert set(given) == known.known - set(fields.PAGE) - set(known.list_of)
            for name, inside in known.lists.items():
                assert set(given[name][0]) == set(inside)
    assert set(meanings_of(kind)) == known.known - set(known.labels)
    assert all(str(words) % {"name": "x"} for words in WORDS.values())


@both
def test_the_standard_look_says_what_the_sample_says(language: str) -> None:
    with translation.override(language):
        bill = sample_bill()
    html, css = standard_look()
    made = template_pdf(bill=bill, html=html, css=css, language=language)
    (page,) = pages(made.content)
    for each in ("INV2027-000123", "2,910.19", "190.39", "1,834.50", "0994000158378", bill.digest):
        assert squeezed(each) in page, each
    assert squeezed("สองพันเก้าร้อยสิบบาทสิบเก้าสตางค์" if language == "th" else "Two thousand") in page
    assert squeezed("งานของ Slurm" if language == "th" else "Slurm jobs, tier University") in page
    assert template_pdf(bill=bill, html=html, css=css, language=language) == made


def test_the_standard_look_is_itself_a_template_that_is_taken() -> None:
    document.check(*standard_look())


def test_many_lines_go_to_an_annex_that_has_each_of_them() -> None:
    project = make_customer(account="")
    for number in range(MOST_LINES + 5):
        price(f"metric-{number:03}", "1")
        use(project, metric_name=f"metric-{number:03}")
    save(standard_look(), use=True)
    from billing.services.invoices.invoice_documents import document_of

    made = document_of(invoice=finalized(project), language="en")
    assert not made.fallback
    together = "".join(pages(made.content))
    assert all(f"metric-{number:03}" in together for number in range(MOST_LINES + 5))
    assert squeezed(f"{MOST_LINES + 5} lines of the annex") in together


def test_five_thousand_lines_are_set_within_the_limit_of_time() -> None:
    from dataclasses import replace

    bill = sample_bill()
    many = replace(bill, lines=tuple(bill.lines[0]._replace(number=at) for at in range(1, 5_001)))
    assert annex_of(many) is not None
    html, css = standard_look()
    assert template_pdf(bill=many, html=html, css=css, language="en").pages > 50  # else it is refused, by the limits


def test_a_draft_says_so_whatever_the_template_says() -> None:
    from tests.billing.invoicing import draft, fee

    project = make_customer(account="")
    fee(project)
    save(use=True)
    from billing.services.invoices.invoice_documents import document_of

    assert "DRAFT" in pages(document_of(invoice=draft(project), language="en").content)[0]


def test_a_currency_without_places_and_a_value_with_line_breaks() -> None:
    from dataclasses import replace

    bill = replace(sample_bill(), currency="JPY", total=Decimal(2000), note="one\ntwo", issued_on=date(2026, 11, 2),
                   due=Decimal(2000))  # fmt: skip
    made = template_pdf(bill=bill, html=LEAST + "<p>{{note}}</p>", css="", language="en")
    page = pages(made.content)[0]
    assert "JPY2,000" in page
    assert "2,000.00" not in page
    assert "onetwo" in page


def test_saving_is_by_a_person() -> None:
    assert save_template(actor=Actor("somebody"), name="x", look=LOOK).created_by == "somebody"
